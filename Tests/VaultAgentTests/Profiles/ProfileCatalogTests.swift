import Testing
import VaultModel
import VaultWire

@testable import VaultAgent

@Suite struct ProfileCatalogTests {
  @Test("a followed file that has changed counts at the next request, and its profile has another fingerprint")
  func followed() async throws {
    let stage = try await AgentStage()
    func write(_ role: String) {
      stage.folder.write(
        "[profile file]\nrole_arn = arn:aws:iam::123456789012:role/\(role)\nsource_profile = base\n", to: "config")
    }
    write("one")
    _ = try await stage.catalog.importFiles(
      ImportRequest { $0.config = stage.folder.file("config") }, requester: AgentStage.me,
      prompter: NonInteractivePrompter())
    let before = try await stage.plan("file")
    write("another")
    let after = try await stage.plan("file")
    #expect(before.steps.map(\.link.roleARN.name) == ["one"])
    #expect(after.steps.map(\.link.roleARN.name) == ["another"])
    #expect(before.delivered?.fingerprint != after.delivered?.fingerprint)
  }

  @Test("a profile that is not there is named with the nearest that is")
  func unknown() async throws {
    let stage = try await AgentStage()
    let error = await #expect(throws: AgentError.self) { try await stage.plan("apq") }
    guard case .unknownProfile("apq", "app", 2) = error else { return #expect(Bool(false), "\(String(describing: error))") }
  }
}
