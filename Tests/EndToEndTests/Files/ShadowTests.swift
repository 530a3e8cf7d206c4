import Foundation
import TestSupport
import Testing

/// A profile of the vault's own, and a file's of the same name.
@Suite(.endToEnd) struct ShadowTests {
  private static let role =
    "[profile home]\nrole_arn = \(STSWorld.mfaRole)\nsource_profile = home\nmfa_serial = \(STSWorld.aliceMFASerial)\nregion = eu-west-1\n"
  private static let key = "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n"

  /// What a program gets as `home`: the region and the calls.
  private func use(_ simulator: STSSimulatorProcess, _ vault: TestVault) async throws -> String {
    let used = try await vault.run("exec", "home", "--mfa-code", STSWorld.aliceMFACodes[0], "--", "printenv", "AWS_REGION")
    let calls = try await simulator.requests().map { "\($0.action) \($0.parameters["SerialNumber"] != nil)" }
    return "\(used.output)\(used.errors)\(calls)"
  }

  @Test(
    "a key that is added by hand and a file's profile of its name come to the same in either order, and the key outlives the file's"
  )
  func stub() async throws {
    var seen: [String] = []
    for keyFirst in [true, false] {
      let simulator = try await STSSimulatorProcess()
      let vault = TestVault(environment: simulator.environment)
      vault.config(Self.role)
      if keyFirst { try await vault.mustRun("access-key", "add", "home", input: Self.key) }
      let imported = try await vault.run("import")
      #expect(imported.succeeded && !imported.errors.contains("vault-managed profile"), "\(imported.errors)")
      if !keyFirst { try await vault.mustRun("access-key", "add", "home", input: Self.key) }
      seen.append(try await use(simulator, vault))
      let row = try #require(try await vault.rows("list").first)
      #expect(row["kind"] as? String == "assume-role" && row["hides"] == nil)
      // Its section goes: the key stays, and with it a profile that hands out its sessions.
      vault.config("[profile other]\nregion = eu-west-1\n")
      try await vault.mustRun("exec", "home", "--", "true")
      #expect(try await vault.rows("list").first { $0["profile"] as? String == "home" }?["kind"] as? String == "keys")
    }
    #expect(seen == Array(repeating: "eu-west-1\n[\"GetSessionToken true\", \"AssumeRole false\"]", count: 2), "\(seen)")
  }

  @Test(
    "a profile that a person keeps in the vault goes on counting, and import, list and doctor name the file's line that it hides")
  func shadowed() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    try await vault.mustRun("access-key", "add", "home", input: Self.key)
    try await vault.mustRun("edit", "home", "--region", "eu-central-1")
    vault.config("[default]\nregion = eu-west-1\n\(Self.role)")
    let place = "~/.aws/config:4"
    let imported = try await vault.run("import")
    #expect(imported.succeeded && imported.errors.contains(place), "\(imported.errors)")
    #expect(try await vault.mustRun("exec", "home", "--", "printenv", "AWS_REGION") == "eu-central-1\n")
    let list = try await vault.run("list")
    #expect(
      list.succeeded && list.errors.contains("\(place): ignored in favor of the vault-managed profile \"home\""), "\(list.errors)"
    )
    #expect(try await vault.rows("list").first { $0["profile"] as? String == "home" }?["hides"] as? String == place)
    let doctor = try await vault.run("doctor")
    #expect((doctor.output + doctor.errors).contains(place), "\(doctor.output)")
    // The way that is offered lets the file's in.
    try await vault.mustRun("remove", "home")
    #expect(
      try await vault.mustRun("exec", "home", "--mfa-code", STSWorld.aliceMFACodes[0], "--", "printenv", "AWS_REGION")
        == "eu-west-1\n")
    #expect(try await vault.run("list").errors.isEmpty)
  }
}
