import AWSClient
import Foundation
import TestSupport
import Testing
import VaultModel
import VaultSecrets

@testable import VaultAgent

/// Holds docs/extending.md to the source.
@Suite struct ExtendingTests {
  /// All that an identity source needs beside a case in the model and a line in the list.
  private struct Example: IdentitySource {
    let action = AuditAction.containerCredentials
    let identifiers: [String?] = ["example"]

    func issue(_ step: CredentialPlan.IdentityStep, _ context: IssueContext) async throws -> Credential? {
      try await context.issue(context.event(action, profile: step.owner), keeping: (.token, step.fingerprint)) {
        let credential = Credential(
          accessKeyId: "ASIAIOSFODNN7EXAMPLE", secretAccessKey: SecretBytes("secret"), sessionToken: SecretBytes("token"),
          expiresAt: context.clock.now().adding(seconds: 3_600))
        return (credential, nil, nil)
      }
    }
  }

  @Test("an identity source of one type has its sessions stored, found again and logged")
  func source() async throws {
    let stage = try await AgentStage()
    let plan = try await stage.plan("app")
    var step = CredentialPlan.IdentityStep(
      owner: "app", duration: .default, sessionName: RoleSessionName(cleaning: "alice"), region: nil,
      endpoint: EndpointSettings())
    var digest = PlanDigest()
    let chain = CredentialChain(
      profile: "app", identity: .container, roles: [], region: nil, endpoint: EndpointSettings())
    let request = IdentityRequest(chain: chain, duration: nil, sessionName: nil, keyUse: .session)
    #expect(Example().plan(&step, for: request, digest: &digest))
    let context = IssueContext(
      plan: plan, request: CredentialRequest(rotating: "app"), requester: AgentStage.me, prompter: NonInteractivePrompter(),
      store: stage.store, programs: ProgramRunner(), clients: stage.clients, ssoSessions: stage.ssoSessions, clock: stage.clock)
    #expect(try await Example().issue(step, context) == nil)
    let kept = try await stage.store.liveSession(profile: "app", fingerprint: step.fingerprint)
    #expect(kept?.accessKeyId == "ASIAIOSFODNN7EXAMPLE")
    #expect(try await stage.rows(.containerCredentials).map(\.event.outcome) == [.intent, .success])
  }

  @Test(
    "the files that an example touches are those that docs/extending.md lists",
    arguments: [
      ("A new identity source", #"instanceCredentials|Ec2InstanceMetadata"|\bInstanceMetadata\b"#),
      ("A new export format", #"\bExportCEF\b"#),
      ("A new audit field", #"\bsubjectVersion\b"#),
      ("A new program to take over from", #"\b[Ll]eapp\b"#),
      ("A new command", #"\bConsoleCommand\b|\bConsoleRequest\b|\bconsole = \d"#),
    ])
  func lists(heading: String, example: String) throws {
    let page = try Repository.text("docs/extending.md")
    let section = try #require(page.components(separatedBy: "\n## ").first { $0.hasPrefix(heading) })
    let listed = Set(section.matches(of: /\n\d\. `(Sources\/[^`]+\.swift)`/).map { String($0.1) })
    let pattern = try Regex(example).wordBoundaryKind(.simple)
    var found: Set<String> = []
    for name in try FileManager.default.subpathsOfDirectory(atPath: Repository.root.appending(path: "Sources").path)
    where name.hasSuffix(".swift") {
      if try Repository.text("Sources/" + name).contains(pattern) { found.insert("Sources/" + name) }
    }
    #expect(found == listed)
  }
}
