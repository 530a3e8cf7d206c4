import Foundation
import Glibc
import SimulatorModel

/// A vault of its own for one test, driven by the real programs: a home, a `VAULT_HOME`, a passphrase key store, and no other environment.
///
/// Its agent ends with its last reference.
public final class TestVault: Sendable {
  public let folder = TemporaryDirectory()
  private let extra: [String: String]

  /// - Parameter environment: added to what every vault of a test has, or taking its place.
  public init(environment: [String: String] = [:]) {
    extra = environment
    for name in ["home", "home/.aws"] { mkdir(folder.file(name), 0o700) }
    // What stands in for AWS is trusted as a person would trust it.
    trust()
    folder.write("correct horse battery staple\n", to: "passphrase")
  }

  /// A vault that has taken in the standard world's files, and asks the simulator for everything.
  ///
  /// - Parameter profiles: added to the standard ones.
  public convenience init(
    _ simulator: STSSimulatorProcess, environment: [String: String] = [:], profiles: String = ""
  ) async throws {
    self.init(environment: ["AWS_ENDPOINT_URL_STS": simulator.url].merging(environment) { _, new in new })
    config(Self.standardConfig + profiles)
    credentials(Self.standardCredentials)
    try await mustRun("import")
  }

  /// One with the standard profiles, imported, whose `app-dev` has the simulator's address in the file: what an agent does unasked it
  /// does with the files' endpoints, since nobody's environment is there.
  public convenience init(unasked simulator: STSSimulatorProcess) async throws {
    try await self.init(simulator)
    config(Self.standardConfig.replacing("[profile app-dev]", with: "[profile app-dev]\nendpoint_url = \(simulator.url)"))
  }

  /// The text of `~/.aws/credentials`.
  public func credentialsFile() throws -> String {
    try String(contentsOfFile: folder.file("home/.aws/credentials"), encoding: .utf8)
  }

  deinit {
    guard let pid = agentPID else { return }
    kill(pid, SIGKILL)
  }

  public static let standardConfig = """
    [profile alice]
    region = us-east-1

    [profile app-dev]
    role_arn = \(STSWorld.devRole)
    source_profile = alice
    region = eu-west-1

    [profile app-chained]
    role_arn = \(STSWorld.chainedRole)
    source_profile = app-dev
    duration_seconds = 7200

    [profile app-mfa]
    role_arn = \(STSWorld.mfaRole)
    source_profile = alice
    mfa_serial = \(STSWorld.aliceMFASerial)

    [profile partner]
    role_arn = \(STSWorld.partnerRole)
    source_profile = alice
    external_id = \(STSWorld.externalId)

    [profile bob-dev]
    role_arn = \(STSWorld.devRole)
    source_profile = bob

    """
  public static let standardCredentials = """
    [alice]
    aws_access_key_id = \(STSWorld.aliceAccessKeyId)
    aws_secret_access_key = \(STSWorld.aliceSecretAccessKey)

    [bob]
    aws_access_key_id = \(STSWorld.bobAccessKeyId)
    aws_secret_access_key = \(STSWorld.bobSecretAccessKey)

    """

  public var home: String { folder.file("home") }
  public var vaultHome: String { folder.file("vault") }
  public var database: String { folder.file("vault/vault.db") }

  /// The environment in which the programs run: exactly this.
  public var environment: [String: String] {
    var environment = [
      "HOME": home, "VAULT_HOME": vaultHome, "VAULT_KEYSTORE": "passphrase", "VAULT_PASSPHRASE_FILE": folder.file("passphrase"),
      "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "TZ": "UTC", "LANG": "C.UTF-8",
    ]
    environment.merge(extra) { _, new in new }
    return environment
  }

  /// Writes the vault's settings anew, so that what its environment names may be sent secrets.
  public func trust() {
    let endpoints = Set(extra.filter { $0.key.hasPrefix("AWS_ENDPOINT_URL") }.values)
    if !endpoints.isEmpty { trust(endpoints.sorted()) }
  }

  /// Writes the vault's settings, so that these endpoints may be sent secrets.
  public func trust(_ endpoints: [String]) {
    mkdir(vaultHome, 0o700)
    folder.write("[default]\ntrusted_endpoints = \(endpoints.joined(separator: " "))\n", to: "vault/config")
  }

  /// Writes the vault's settings anew, with these guard rules.
  public func guarding(_ rules: String) throws {
    trust()
    let settings = try String(contentsOfFile: folder.file("vault/config"), encoding: .utf8)
    folder.write(settings + rules + "\n", to: "vault/config")
  }

  /// Writes `~/.aws/config`.
  public func config(_ text: String) { folder.write(text, to: "home/.aws/config") }
  /// Writes `~/.aws/credentials`.
  public func credentials(_ text: String) { folder.write(text, to: "home/.aws/credentials") }

  /// Runs `vault` with these words.
  @discardableResult
  public func run(
    _ words: String..., environment: [String: String] = [:], input: String = "", timeout: Double = 120
  ) async throws -> Subprocess.Result {
    try await run(words: words, environment: environment, input: input, timeout: timeout)
  }

  /// Runs `vault` with these words.
  public func run(words: [String], environment: [String: String] = [:], input: String = "", timeout: Double = 120) async throws
    -> Subprocess.Result
  {
    try await Subprocess.run(
      Programs.vault, words, environment: self.environment.merging(environment) { _, new in new }, input: Array(input.utf8),
      timeout: timeout)
  }

  /// Runs `vault` and hands back what it printed; anything but success is an error.
  @discardableResult
  public func mustRun(_ words: String..., environment: [String: String] = [:], input: String = "") async throws -> String {
    let result = try await run(words: words, environment: environment, input: input)
    guard result.succeeded else { throw Failed(words: words, end: result.end, errors: result.errors) }
    return result.output
  }

  /// A report as JSON.
  public func json(_ words: String...) async throws -> Any {
    let result = try await run(words: words + ["--format", "json"])
    guard result.succeeded else { throw Failed(words: words, end: result.end, errors: result.errors) }
    return try JSONSerialization.jsonObject(with: Data(result.outputBytes))
  }

  /// A report that is an array of objects.
  public func rows(_ words: String...) async throws -> [[String: Any]] {
    let result = try await run(words: words + ["--format", "json"])
    guard result.succeeded else { throw Failed(words: words, end: result.end, errors: result.errors) }
    return try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [[String: Any]] ?? []
  }

  /// The process of the agent that runs; nil where none does.
  public var agentPID: pid_t? {
    guard let text = try? String(contentsOfFile: folder.file("vault/agent.lock"), encoding: .utf8),
      let pid = pid_t(text.prefix { !$0.isNewline }),
      let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8), status.contains("(vaultd)"),
      !status.contains(") Z ")
    else { return nil }
    return pid
  }

  /// Ends the agent as a power cut would, as far as a process can.
  public func killAgent() {
    guard let pid = agentPID else { return }
    kill(pid, SIGKILL)
    // The kernel lets the lock go once the process is gone.
    while agentPID == pid { usleep(1_000) }
  }

  /// `vault` did not succeed.
  public struct Failed: Error, CustomStringConvertible {
    public let words: [String]
    public let end: ProgramEnd
    public let errors: String
    public var description: String { "vault \(words.joined(separator: " ")): \(end): \(errors)" }
  }
}
