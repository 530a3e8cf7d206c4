import Foundation
import TestSupport
import Testing
import VaultModel

/// Credentials that stay fresh while a program runs, and the other ways in which programs take them.
@Suite(.endToEnd) struct ServingTests {
  private static let roleConfig = """
    [profile alice]
    region = us-east-1
    [profile app]
    role_arn = \(STSWorld.devRole)
    source_profile = alice
    region = eu-west-1

    """

  private func vault(_ simulator: STSSimulatorProcess) async throws -> TestVault {
    let vault = TestVault(environment: simulator.environment)
    vault.config(Self.roleConfig)
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    return vault
  }

  @Test("a child that runs past several sessions sees a new key each time, by boto3")
  func boto3() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await vault(simulator)
    let program = """
      import os, time, urllib.request, json
      import boto3, botocore.session
      assert "AWS_ACCESS_KEY_ID" not in os.environ and "AWS_SECRET_ACCESS_KEY" not in os.environ
      seen = []
      end = time.time() + 9
      while time.time() < end:
          session = botocore.session.get_session()
          keys = session.get_credentials().get_frozen_credentials()
          if keys.access_key not in seen:
              seen.append(keys.access_key)
              client = boto3.client("sts", region_name="eu-west-1", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"])
              arn = client.get_caller_identity()["Arn"]
              assert "my-application-dev-role" in arn, arn
          time.sleep(0.2)
      print(len(seen))
      """
    let run = try await vault.run(
      words: ["exec", "--server", "app", "--", try Programs.python, "-c", program], timeout: 120)
    #expect(run.succeeded, "\(run.errors)")
    #expect((Int(run.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) >= 3, "\(run.output)")
    let rows = try await vault.rows("audit")
    #expect(rows.filter { $0["action"] as? String == "Deliver" && $0["trigger"] as? String == "server" }.count >= 3)
    #expect(rows.contains { $0["action"] as? String == "AssumeRole" && $0["trigger"] as? String == "rotation" })
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("the AWS CLI is served")
  func commandLine() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let run = try await vault.run(
      words: ["exec", "--server", "app", "--", try Programs.aws, "sts", "get-caller-identity"], timeout: 120)
    #expect(run.succeeded && run.output.contains("assumed-role/my-application-dev-role/"), "\(run.errors)")
  }

  /// A child that holds a lease, and what it was given.
  private struct Served {
    let child: RunningProgram
    let url: String
    let token: String
    var port: UInt16 { UInt16(url.split(separator: ":").last?.split(separator: "/").first ?? "") ?? 0 }
  }

  private func serve(_ vault: TestVault) async throws -> Served {
    let child = try RunningProgram(
      Programs.vault,
      [
        "exec", "--server", "app", "--", "sh", "-c",
        "echo $AWS_CONTAINER_CREDENTIALS_FULL_URI; echo $AWS_CONTAINER_AUTHORIZATION_TOKEN; read end",
      ], environment: vault.environment)
    return Served(child: child, url: try await child.readLine(), token: try await child.readLine())
  }

  private func ask(_ served: Served, _ head: String) async throws -> Int {
    try await LoopbackHTTP.raw(
      head.replacing("TOKEN", with: served.token).replacing("PORT", with: "\(served.port)").replacing("\n", with: "\r\n"),
      port: served.port
    )
  }

  @Test(
    "a request that is not the child's own is refused",
    arguments: [
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\n\n", 200),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\n\n", 401),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\nAuthorization: TOKEN\n\n", 401),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: xTOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: Bearer TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: \n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: evil.example\nAuthorization: TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: evil.example:PORT\nAuthorization: TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: localhost:PORT\nAuthorization: TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1\nAuthorization: TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: https://a.example\nAuthorization: TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nReferer: https://a.example\nAuthorization: TOKEN\n\n", 403),
      ("GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nSec-Fetch-Site: none\nAuthorization: TOKEN\n\n", 403),
      ("OPTIONS /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\n\n", 405),
      ("POST /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nContent-Length: 0\nAuthorization: TOKEN\n\n", 405),
      ("GET /credentials?x=y HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\n\n", 404),
      ("GET /credentials/../credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\n\n", 404),
      ("GET / HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\n\n", 404),
    ])
  func abuse(head: String, status: Int) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let served = try await serve(vault)
    #expect(try await ask(served, head) == status)
    served.child.terminate()
  }

  @Test("a token is worth nothing once its program has ended, and the port is closed")
  func ended() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let served = try await serve(vault)
    let good = "GET /credentials HTTP/1.1\nHost: 127.0.0.1:PORT\nAuthorization: TOKEN\n\n"
    #expect(try await ask(served, good) == 200)
    served.child.send("\n")
    try await served.child.wait(timeout: 10)
    var rows: [[String: Any]] = []
    while rows.isEmpty { rows = try await vault.rows("audit", "--action", "LeaseEnded") }
    #expect(rows.count == 1)
    await #expect(throws: (any Error).self) { try await ask(served, good) }
  }

  @Test("variables are printed so that a shell reads back what was meant", arguments: ["sh", "dotenv", "docker", "json"])
  func env(format: String) async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let key = try await vault.mustRun("exec", "app", "--", "printenv", "AWS_ACCESS_KEY_ID").trimmingCharacters(
      in: .whitespacesAndNewlines)
    let text = try await vault.mustRun("env", "app", "--format", format, environment: ["AWS_PROFILE": "x"])
    switch format {
    case "json":
      let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String]
      #expect(object?["AWS_ACCESS_KEY_ID"] == key && object?["AWS_REGION"] == "eu-west-1")
    case "sh":
      let read = try await Subprocess.run(
        "/bin/sh", ["-c", "AWS_PROFILE=x; eval \"$1\"; echo \"$AWS_ACCESS_KEY_ID ${AWS_PROFILE-none}\"", "sh", text],
        environment: [:])
      #expect(read.output == "\(key) none\n")
    default: #expect(text.split(separator: "\n").contains("AWS_ACCESS_KEY_ID=\(key)"))
    }
  }

  @Test("the AWS CLI takes the credentials by credential_process")
  func credentialProcess() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await vault(simulator)
    let config = vault.folder.write(
      "[profile linked]\ncredential_process = \(try Programs.vault) credentials app\nregion = eu-west-1\n", to: "linked")
    let run = try await Subprocess.run(
      try Programs.aws, ["--profile", "linked", "sts", "get-caller-identity"],
      environment: vault.environment.merging(["AWS_CONFIG_FILE": config]) { $1 })
    #expect(run.succeeded && run.output.contains("assumed-role/my-application-dev-role/"), "\(run.errors)")
    let object =
      try JSONSerialization.jsonObject(with: Data(try await vault.mustRun("credentials", "app").utf8)) as? [String: Any]
    #expect(object?["Version"] as? Int == 1 && (object?["Expiration"] as? String)?.hasSuffix("Z") == true)
  }

  @Test("a session that is used is renewed before it ends, without anybody asking")
  func rotation() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    let vault = try await vault(simulator)
    try await vault.mustRun("exec", "app", "--", "true")
    while try await simulator.requests("AssumeRole").count < 3 { try await Task.sleep(for: .milliseconds(100)) }
    #expect(try await vault.rows("list").first { $0["profile"] as? String == "app" }?["rotation"] as? String == "on")
  }

  @Test(
    "`rotation = off` renews nothing unasked; `always` also what an agent before this one made, and what has ended since",
    .tags(.slow))
  func rotationRules() async throws {
    let simulator = try await STSSimulatorProcess()
    try await simulator.set(STSSettings(lifetimeSeconds: 4))
    // What stands in the files alone is the same for the next agent.
    let vault = TestVault()
    let profiles = ["off", "used", "always"].map { rule in
      """
      [profile \(rule)]
      role_arn = \(STSWorld.devRole)
      source_profile = alice
      endpoint_url = \(simulator.url)
      role_session_name = \(rule)
      rotation = \(rule)
      """
    }
    vault.config("[profile alice]\nregion = us-east-1\nendpoint_url = \(simulator.url)\n" + profiles.joined(separator: "\n"))
    vault.credentials(TestVault.standardCredentials)
    try await vault.mustRun("import")
    func calls(_ name: String) async throws -> Int {
      try await simulator.requests("AssumeRole").filter { $0.parameters["RoleSessionName"] == name }.count
    }
    func calls(_ name: String, become count: Int) async throws -> Bool {
      let deadline = Date().addingTimeInterval(60)
      while Date() < deadline {
        if try await calls(name) >= count { return true }
        try await Task.sleep(for: .milliseconds(100))
      }
      return false
    }
    for rule in ["off", "used", "always"] { try await vault.mustRun("exec", rule, "--", "true") }
    for rule in ["used", "always"] { #expect(try await calls(rule, become: 3)) }
    #expect(try await calls("off") == 1)
    let listed = try await vault.rows("list").first { $0["profile"] as? String == "off" }
    #expect(listed?["rotation"] as? String == "off")
    // All have ended before the next agent comes, which is told nothing but to unlock the vault.
    try await vault.mustRun("agent", "stop")
    let before = try await [calls("off"), calls("used"), calls("always")]
    try await Task.sleep(for: .seconds(4))
    try await vault.mustRun("exec", "alice", "--", "true")
    #expect(try await calls("always", become: before[2] + 2))
    #expect(try await calls("off") == before[0])
  }

  private static let printKey =
    "import boto3; c = boto3.Session().get_credentials().get_frozen_credentials(); print(c.access_key); assert c.token"

  @Test("a container takes its credentials with a token from a file, which goes with the program and was never in an environment")
  func tokenFile() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let script = """
      test -z "$AWS_CONTAINER_AUTHORIZATION_TOKEN" && test -z "$AWS_SECRET_ACCESS_KEY" || exit 9
      stat -c %a "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"; wc -l < "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
      echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
      '\(try Programs.python)' -c '\(Self.printKey)'
      """
    let output = try await vault.mustRun("exec", "--token-file", "app-dev", "--", "sh", "-c", script)
    let lines = output.split(separator: "\n").map { String($0) }
    #expect(lines.count == 4 && lines[0] == "600" && lines[1] == "0" && lines[3].hasPrefix("ASIA"), "\(output)")
    let deadline = Date().addingTimeInterval(10)
    while access(lines[2], F_OK) == 0, Date() < deadline { try await Task.sleep(for: .milliseconds(10)) }
    #expect(access(lines[2], F_OK) != 0)
  }

  @Test("in a network of its own, a container reaches the endpoint over a Unix socket that is mounted in")
  func ownNetwork() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    // As docs/containers.md has it, with a network namespace in Docker's place.
    let script = """
      port=$(echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI" | sed "s/.*:\\([0-9]*\\).*/\\1/")
      socket=$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.sock
      socat "UNIX-LISTEN:$socket,fork,mode=600,unlink-early" "TCP4:127.0.0.1:$port" &
      trap "kill $!" EXIT
      while ! test -S "$socket"; do sleep 0.02; done
      export PORT="$port" SOCKET="$socket"
      unshare \(geteuid() == 0 ? "" : "--map-root-user") --net sh -c '
        ip link set lo up
        socat "TCP4-LISTEN:$PORT,bind=127.0.0.1,fork" "UNIX-CONNECT:$SOCKET" &
        trap "kill $!" EXIT
        while ! ss -Hltn | grep -q ":$PORT "; do sleep 0.02; done
        \(try Programs.python) -c "\(Self.printKey)"'
      """
    let result = try await vault.run("exec", "--token-file", "app-dev", "--", "sh", "-c", script)
    #expect(result.succeeded && result.output.hasPrefix("ASIA"), "\(result.output) \(result.errors)")
  }
}
