import Foundation
import Glibc
import TestSupport
import Testing

/// The agent is its own, whichever shell started it.
@Suite(.endToEnd) struct OwnEnvironmentTests {
  /// A library that leaves the program's name in a file wherever it is loaded.
  private func planted(_ vault: TestVault) async throws -> (library: String, mark: String) {
    let mark = vault.folder.file("loaded")
    let source = vault.folder.write(
      """
      #define _GNU_SOURCE
      #include <errno.h>
      #include <fcntl.h>
      #include <string.h>
      #include <unistd.h>
      __attribute__((constructor)) static void plant(void) {
        int fd = open(MARK, O_WRONLY | O_CREAT | O_APPEND, 0600);
        const char *name = program_invocation_short_name;
        if (fd >= 0) { if (write(fd, name, strlen(name)) < 0 || write(fd, "\\n", 1) < 0) {} close(fd); }
      }
      int OSSL_provider_init(const void *a, const void *b, const void **c, void **d) { return 0; }
      """, to: "planted.c")
    let library = vault.folder.file("planted.so")
    let made = try await Subprocess.run(
      try Programs.onPath("cc"), ["-shared", "-fPIC", "-DMARK=\"\(mark)\"", source, "-o", library],
      environment: ["PATH": "/usr/bin:/bin"])
    try #require(made.succeeded, "\(made.errors)")
    return (library, mark)
  }

  @Test(
    "what a shell has for the loader and for libraries runs nothing in the agent, whoever starts it", arguments: [true, false])
  func libraries(byClient: Bool) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("agent", "stop")
    let (library, mark) = try await planted(vault)
    // A file of its own, since one that is loaded already would not be loaded again.
    let module = vault.folder.file("module.so")
    try FileManager.default.copyItem(atPath: library, toPath: module)
    let openssl = vault.folder.write(
      """
      openssl_conf = all
      [all]
      providers = providers
      [providers]
      planted = planted
      default = default
      [planted]
      module = \(module)
      activate = 1
      [default]
      activate = 1

      """, to: "openssl.cnf")
    let foreign = [
      "LD_PRELOAD": library, "LD_AUDIT": library, "OPENSSL_CONF": openssl, "GIO_EXTRA_MODULES": vault.folder.path,
      "GLIBC_TUNABLES": "glibc.malloc.check=0", "AWS_PROFILE": "x", "https_proxy": "http://127.0.0.1:9", "VAULT_TOKEN": "x",
      "PATH": "\(vault.folder.path):/usr/bin:/bin",
    ]
    func victims() -> [Substring] { ((try? String(contentsOfFile: mark, encoding: .utf8)) ?? "").split(separator: "\n") }
    var own: RunningProgram?
    if byClient {
      try await vault.mustRun("agent", "start", environment: foreign)
      #expect(!victims().contains("vaultd"))
    } else {
      own = try RunningProgram(Programs.vaultd, environment: vault.environment.merging(foreign) { $1 })
      let deadline = Date().addingTimeInterval(20)
      while vault.agentPID == nil, Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
      // The loader had run it before there was anything to steal, in what is no longer there.
      #expect(victims().contains("vaultd"))
    }
    unlink(mark)
    let pid = try #require(vault.agentPID)
    #expect(own.map { $0.pid == pid } ?? true)
    // OpenSSL reads its settings when it is first used.
    let run = try await vault.run("exec", "app-dev", "--", "true")
    #expect(run.succeeded && victims().isEmpty, "\(run.errors)")
    guard geteuid() == 0 else { return }
    // Only root may look.
    let maps = try String(contentsOfFile: "/proc/\(pid)/maps", encoding: .utf8)
    #expect(maps.contains("vaultd") && !maps.contains("planted.so") && !maps.contains("module.so"))
    let environment = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ"))
    let names = Set(environment.split(separator: 0).map { String(decoding: $0.prefix { $0 != 0x3D }, as: UTF8.self) })
    #expect(names == ["HOME", "VAULT_HOME", "VAULT_KEYSTORE", "VAULT_PASSPHRASE_FILE", "PATH", "LANG"])
    try await vault.mustRun("agent", "stop")
  }

  @Test("a credential_process runs with the PATH and the variables of who asks, whoever started the agent")
  func program() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    mkdir(vault.folder.file("bin"), 0o700)
    let helper = vault.folder.write(
      """
      #!/bin/sh
      echo "for $WHO, ${AWS_SECRET_ACCESS_KEY-no key}" >&2
      echo '{"Version":1,"AccessKeyId":"\(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\(STSWorld.aliceSecretAccessKey)"}'

      """, to: "bin/my-helper")
    chmod(helper, 0o700)
    vault.config("[profile ci]\ncredential_process = my-helper\n")
    try await vault.mustRun("import")
    let missing = try await vault.run("exec", "ci", "--", "true")
    #expect(missing.end == .exit(78) && missing.errors.contains("requester's PATH"), "\(missing.errors)")
    let path = vault.folder.file("bin") + ":/usr/bin:/bin"
    for who in ["one", "two"] {
      let run = try await vault.run(
        "exec", "ci", "--", "true", environment: ["PATH": path, "WHO": who, "AWS_SECRET_ACCESS_KEY": "x"])
      #expect(run.succeeded && run.errors.contains("for \(who), no key"), "\(run.errors)")
    }
  }

  @Test(
    "what a container gives its programs is renewed unasked by what the asker's environment said, which the agent's never had")
  func container() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = TestVault(
      environment: simulator.environment.merging([
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": simulator.url + "/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token",
      ]) { $1 })
    vault.config("[profile app]\nrole_arn = \(STSWorld.ssoRole)\ncredential_source = EcsContainer\nregion = us-east-1\n")
    try await vault.mustRun("import")
    let served = try await ServedProgram(vault, profile: "app")
    var keys: Set<String> = []
    let deadline = Date().addingTimeInterval(40)
    while keys.count < 4, Date() < deadline {
      if let key = try await served.nextKey() { keys.insert(key) }
      try await Task.sleep(for: .milliseconds(100))
    }
    #expect(keys.count >= 4)
    let calls = try await simulator.requests("ContainerCredentials").filter { $0.outcome == .success }
    #expect(calls.count >= 2, "\(calls.count)")
    try await served.end()
  }
}
