import Foundation
import TestSupport
import Testing

/// `vault link`, `vault unlink` and `vault console`, with the real clients.
@Suite(.endToEnd) struct LinkTests {
  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    try await TestVault(simulator, environment: simulator.environment)
  }

  private func config(_ vault: TestVault) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: vault.home + "/.aws/config"))
  }

  @Test("a linked profile is taken from the vault by the AWS CLI and boto3, by AWS_PROFILE alone")
  func clients() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let linked = try await vault.run("link", "app-dev")
    #expect(linked.errors.contains("AWS_PROFILE=vault-app-dev"), "\(linked.errors)")
    let environment = vault.environment.merging(["AWS_PROFILE": "vault-app-dev"]) { $1 }
    let aws = try await Subprocess.run(try Programs.aws, ["sts", "get-caller-identity"], environment: environment)
    #expect(aws.output.contains("assumed-role/my-application-dev-role/"), "\(aws.errors)")
    let python = try await Subprocess.run(
      try Programs.python, ["-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"],
      environment: environment)
    #expect(python.output.contains("assumed-role/my-application-dev-role/"), "\(python.errors)")
    #expect(try await simulator.requests("AssumeRole").count == 1)
    // The vault follows the file, and does not take its own lines for another profile.
    let again = try await vault.run("exec", "vault-app-dev", "--", "true")
    #expect(again.end == .exit(66), "\(again.errors)")
  }

  @Test(
    "what is not ours in the file is as it was, byte for byte, with the links and after them",
    arguments: [
      "", "\n", "[profile x]\nregion = a", "[profile x]\r\nregion = a\r\n\r\n", "# \u{E9}\n[default]\n",
      "\u{FEFF}[default]\nregion=a\n\n\n",
    ])
  func bytes(text: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let path = vault.folder.write(text, to: "other")
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    try await vault.mustRun("link", "app-dev", "partner", "--config", path)
    let between = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(between.starts(with: before) && between.count > before.count)
    try await vault.mustRun("link", "app-dev", "--config", path)
    try await vault.mustRun("unlink", "partner", "--config", path)
    try await vault.mustRun("unlink", "--config", path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test("a file that is a link stays one, keeps its mode, and a full or forbidden folder loses nothing")
  func weather() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let real = vault.folder.write("[default]\nregion = us-east-1\n", to: "real")
    chmod(real, 0o640)
    let path = vault.folder.file("link")
    symlink(real, path)
    try await vault.mustRun("link", "app-dev", "--config", path)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(stat(real, &status) == 0 && status.st_mode & 0o777 == 0o640)
    #expect(try String(contentsOfFile: real, encoding: .utf8).contains("credential_process"))
    let nobody = try await vault.run("link", "nobody")
    #expect(nobody.end == .exit(66))
    let gone = try await vault.run("link", "app-dev", "--config", "/nowhere/config")
    #expect(gone.end == .exit(73), "\(gone.errors)")
    #expect(try await vault.run("unlink", "partner", "--config", path).end == .exit(66))
  }

  @Test("a credentials file holds fresh keys for tools that read nothing else, and none when they are not to be there")
  func credentialsFile() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 6))
    let vault = try await vault(simulator)
    // What an agent does unasked it does with the files' endpoints: nobody's environment is there.
    vault.config(
      TestVault.standardConfig.replacing("[profile app-dev]", with: "[profile app-dev]\nendpoint_url = \(simulator.url)"))
    let path = vault.folder.file("home/.aws/credentials")
    chmod(path, 0o644)
    let before = try String(contentsOfFile: path, encoding: .utf8)
    try await vault.mustRun("link", "--credentials-file", "app-dev")
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    func keys() throws -> [String] {
      try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").filter { $0.contains("= ASIA") }.map { String($0) }
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix(before))
    let first = try keys()
    #expect(first.count == 1)
    let script =
      "import boto3; print(boto3.Session(profile_name='vault-app-dev').client('sts', region_name='us-east-1').get_caller_identity()['Arn'])"
    let arn = try await Subprocess.run(
      try Programs.python, ["-c", script], environment: vault.environment.merging(["VAULT_HOME": "/nowhere"]) { _, new in new },
      timeout: 60)
    #expect(arn.output.contains("my-application-dev-role"), "\(arn.errors)")
    let deadline = Date().addingTimeInterval(30)
    while try keys() == first, Date() < deadline { try await Task.sleep(for: .milliseconds(50)) }
    #expect(try keys() != first && keys().count == 1)
    // The vault does not take its own lines for somebody's keys.
    #expect(try await vault.rows("list").contains { $0["profile"] as? String == "vault-app-dev" } == false)
    try await vault.mustRun("lock")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    try await vault.mustRun("unlock")
    while try keys().isEmpty, Date() < deadline.addingTimeInterval(20) { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try keys().count == 1)
    try await vault.mustRun("agent", "stop")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    while try keys().isEmpty, Date() < deadline.addingTimeInterval(20) { try await Task.sleep(for: .milliseconds(20)) }
    vault.killAgent()
    #expect(try keys().count == 1)
    try await vault.mustRun("lock")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    try await vault.mustRun("unlock")
    try await vault.mustRun("unlink", "--credentials-file", "app-dev")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
    #expect(try await vault.run("unlink", "--credentials-file", "app-dev").end == .exit(66))
    let actions = try await vault.rows("audit").compactMap { $0["action"] as? String }
    #expect(actions.contains("CredentialsLinked") && actions.contains("CredentialsUnlinked"))
  }

  @Test("a credentials file that is a link, was changed meanwhile, cannot be written, or has the section already")
  func credentialsFileWeather() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let real = vault.folder.write("[other]\naws_access_key_id = AKIAOTHEROTHEROTHER1\n", to: "real")
    let path = vault.folder.file("link")
    symlink(real, path)
    let environment = ["AWS_SHARED_CREDENTIALS_FILE": path]
    try await vault.mustRun("link", "--credentials-file", "app-dev", environment: environment)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    let text = try String(contentsOfFile: real, encoding: .utf8)
    #expect(text.contains("[vault-app-dev]") && text.hasPrefix("[other]\n"))
    // Somebody adds lines behind ours and between: they stay.
    try (text + "[mine]\nregion = x\n").write(toFile: real, atomically: false, encoding: .utf8)
    try await vault.mustRun("unlink", "--credentials-file", environment: environment)
    #expect(
      try String(contentsOfFile: real, encoding: .utf8)
        == "[other]\naws_access_key_id = AKIAOTHEROTHEROTHER1\n[mine]\nregion = x\n")
    vault.folder.write("[vault-app-dev]\nregion = y\n", to: "real")
    let taken = try await vault.run("link", "--credentials-file", "app-dev", environment: environment)
    #expect(taken.end == .exit(73) && taken.errors.contains("already has a section"), "\(taken.errors)")
    let nowhere = try await vault.run(
      "link", "--credentials-file", "app-dev", environment: ["AWS_SHARED_CREDENTIALS_FILE": "/proc/credentials"])
    #expect(nowhere.end == .exit(73), "\(nowhere.end) \(nowhere.errors)")
  }

  @Test("a credentials file that is read-only or a link to nothing is left as it is, and keys are taken out of it all the same")
  func readOnlyCredentials() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let path = vault.folder.write("[other]\nregion = x\n", to: "credentials", mode: 0o400)
    let environment = ["AWS_SHARED_CREDENTIALS_FILE": path]
    func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    let refused = try await vault.run("link", "--credentials-file", "app-dev", environment: environment)
    #expect(refused.end == .exit(73) && refused.errors.contains("read-only"), "\(refused.errors)")
    #expect(try text() == "[other]\nregion = x\n")
    chmod(path, 0o600)
    try await vault.mustRun("link", "--credentials-file", "app-dev", environment: environment)
    // What an agent that was killed between two steps has left holds keys, too.
    vault.folder.write("[vault-app-dev]\naws_secret_access_key = x\n", to: "credentials.vault-new")
    chmod(path, 0o400)
    try await vault.mustRun("lock")
    #expect(try text() == "[other]\nregion = x\n")
    #expect(access(vault.folder.file("credentials.vault-new"), F_OK) != 0)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o400)
    try await vault.mustRun("unlock")
    let nowhere = vault.folder.file("dangling")
    symlink(vault.folder.file("nothing"), nowhere)
    let dangling = try await vault.run(
      "link", "--credentials-file", "app-dev", environment: ["AWS_SHARED_CREDENTIALS_FILE": nowhere])
    #expect(dangling.end == .exit(73) && dangling.errors.contains("broken symbolic link"), "\(dangling.errors)")
    #expect(lstat(nowhere, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
  }

  @Test(
    "a credentials file on a full disk keeps its last keys whole, and gets fresh ones once there is room",
    .enabled(if: geteuid() == 0, "only root can mount a small disk"))
  func fullCredentialsDisk() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 6))
    let vault = try await vault(simulator)
    let disk = vault.folder.file("disk")
    mkdir(disk, 0o700)
    let mounted = try await Subprocess.run(
      "/usr/bin/mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", disk], environment: ["PATH": "/usr/bin:/bin"])
    try #require(mounted.succeeded, "\(mounted.errors)")
    let path = disk + "/credentials"
    let environment = ["AWS_SHARED_CREDENTIALS_FILE": path]
    func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    do {
      try "[other]\nregion = x\n".write(toFile: path, atomically: false, encoding: .utf8)
      let room = open(disk + "/room", O_WRONLY | O_CREAT, 0o600)
      let block = [UInt8](repeating: 0, count: 4_096)
      while write(room, block, block.count) > 0 {}
      close(room)
      let refused = try await vault.run("link", "--credentials-file", "app-dev", environment: environment)
      #expect(refused.end == .exit(74) || refused.end == .exit(73), "\(refused.end) \(refused.errors)")
      #expect(try text() == "[other]\nregion = x\n")
      unlink(disk + "/room")
      try await vault.mustRun("link", "--credentials-file", "app-dev", environment: environment)
      let first = try text()
      #expect(first.contains("ASIA") && first.hasPrefix("[other]\nregion = x\n"))
      // Full again while it is renewed: no half of a file, and no other file left behind.
      let again = open(disk + "/room", O_WRONLY | O_CREAT, 0o600)
      while write(again, block, block.count) > 0 {}
      close(again)
      try await vault.mustRun("rotate", "app-dev")
      #expect(try text() == first)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: disk).sorted().filter { !$0.hasPrefix("credentials.vault-backup") }
          == ["credentials", "room"])
      unlink(disk + "/room")
      try await vault.mustRun("rotate", "app-dev")
      #expect(try text() != first && text().hasPrefix("[other]\nregion = x\n"))
    } catch {
      Issue.record(error)
    }
    _ = try await vault.run("agent", "stop")
    _ = try await Subprocess.run("/usr/bin/umount", ["-l", disk], environment: ["PATH": "/usr/bin:/bin"])
  }

  @Test(
    "a credentials file on a read-only disk is refused, and one that becomes so keeps its keys and gets fresh ones afterwards",
    .enabled(if: geteuid() == 0, "only root can mount a disk"))
  func readOnlyDisk() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let disk = vault.folder.file("disk")
    mkdir(disk, 0o700)
    func mount(_ words: String...) async throws {
      let result = try await Subprocess.run("/usr/bin/mount", words + [disk], environment: ["PATH": "/usr/bin:/bin"])
      try #require(result.succeeded, "\(result.errors)")
    }
    try await mount("-t", "tmpfs", "-o", "mode=0700", "tmpfs")
    let path = disk + "/credentials"
    let environment = ["AWS_SHARED_CREDENTIALS_FILE": path]
    func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    do {
      try "[other]\nregion = x\n".write(toFile: path, atomically: false, encoding: .utf8)
      try await mount("-o", "remount,ro")
      let refused = try await vault.run("link", "--credentials-file", "app-dev", environment: environment)
      #expect(refused.end == .exit(73) || refused.end == .exit(74), "\(refused.end) \(refused.errors)")
      #expect(refused.errors.lowercased().contains("read-only"), "\(refused.errors)")
      try await mount("-o", "remount,rw")
      #expect(try text() == "[other]\nregion = x\n")
      try await vault.mustRun("link", "--credentials-file", "app-dev", environment: environment)
      let first = try text()
      #expect(first.contains("ASIA"))
      try await mount("-o", "remount,ro")
      try await vault.mustRun("rotate", "app-dev")
      #expect(try text() == first)
      try await mount("-o", "remount,rw")
      try await vault.mustRun("rotate", "app-dev")
      #expect(try text() != first && text().hasPrefix("[other]\nregion = x\n"))
    } catch {
      Issue.record(error)
    }
    _ = try await vault.run("agent", "stop")
    _ = try await Subprocess.run("/usr/bin/umount", ["-l", disk], environment: ["PATH": "/usr/bin:/bin"])
  }

  @Test("the console opens signed in, and the address with the token is on no command line")
  func console() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let printed = try await vault.mustRun("console", "app-dev", "--service", "s3", "--print")
    #expect(printed.contains("Action=login") && printed.contains("SigninToken=token-of-ASIA") && printed.contains("s3%2Fhome"))
    let python = try Programs.python
    let seen = vault.folder.file("seen")
    let browser = vault.folder.write(
      """
      #!/bin/sh
      echo "$1" > \(seen).arguments
      exec \(python) -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode(), file=open(sys.argv[2], "w"))' "$1" \(seen)

      """, to: "browser")
    chmod(browser, 0o700)
    try await vault.mustRun("console", "app-dev", environment: ["BROWSER": browser])
    var page = ""
    while page.isEmpty {
      page = (try? String(contentsOfFile: seen, encoding: .utf8)) ?? ""
      await Task.yield()
    }
    #expect(page.contains("console"))
    let arguments = try String(contentsOfFile: seen + ".arguments", encoding: .utf8)
    #expect(arguments.hasPrefix("http://127.0.0.1:") && !arguments.contains("Signin"))
    let rows = try await vault.rows("audit", "--action", "Deliver")
    #expect(rows.count == 2 && rows.allSatisfy { $0["trigger"] as? String == "console" })
    let none = try await vault.run("console", "app-dev", environment: ["BROWSER": ""])
    #expect(none.end == .exit(69) && none.errors.contains("--print"))
  }
}
