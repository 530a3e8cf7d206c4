import Testing
import VaultModel
import VaultStore

@testable import VaultAgent

/// What a scope does to the calls by which a profile gets its credentials.
@Suite struct ScopedChainTests {
  private static let role = RoleARN("arn:aws-cn:iam::123456789012:role/dev")!
  private static let keys = IdentityLink.keys(name: "base", accessKeyId: "AKIAIOSFODNN7EXAMPLE", mfaSerial: nil)
  private static let config = SSOSessionConfig(
    name: "corp", startURL: "https://corp.awsapps.com/start", region: "eu-west-1", scopes: [], isSession: true)

  private static func chain(
    _ identity: IdentityLink = keys, _ roles: [RoleLink] = [RoleLink(profile: "app", roleARN: role)]
  ) -> CredentialChain {
    CredentialChain(profile: "app", identity: identity, roles: roles, region: "cn-north-1", endpoint: EndpointSettings())
  }

  private static func plan(
    _ scope: SessionScope, role: RoleARN? = nil, _ chain: CredentialChain = chain()
  ) throws -> CredentialPlan {
    let scoped = try chain.scoped(scope, role: role)
    return CredentialPlan(
      scoped, duration: nil, sessionName: nil, defaultSessionName: RoleSessionName(cleaning: "alice@laptop"), scope: scope,
      isOwn: scoped == chain)
  }

  private static func tagged(_ tags: [(String, String)], _ transitive: [String] = []) -> SessionScope {
    SessionScope { ($0.tags, $0.transitiveTagKeys) = (tags.map { SessionTag(key: $0.0, value: $0.1) }, transitive) }
  }

  @Test("the last call alone is narrowed, with the policy of its role's partition")
  func last() throws {
    let first = RoleLink(profile: "mid", roleARN: Self.role)
    let plan = try Self.plan(.readOnly, Self.chain(Self.keys, [first, RoleLink(profile: "app", roleARN: Self.role)]))
    #expect(plan.steps.map(\.link.policyARNs) == [[], ["arn:aws-cn:iam::aws:policy/ReadOnlyAccess"]])
    #expect(!plan.isOwn)
    let own = try Self.plan(.none, Self.chain(Self.keys, [first, RoleLink(profile: "app", roleARN: Self.role)]))
    #expect(own.isOwn && own.steps[0].fingerprint == plan.steps[0].fingerprint)
    #expect(own.steps[1].fingerprint != plan.steps[1].fingerprint)
  }

  @Test("the session of each run has its own fingerprint, whatever gives it its name; what comes before it in the chain does not")
  func runs() throws {
    let named = RoleLink(profile: "app", roleARN: Self.role, roleSessionName: RoleSessionName("alice"))
    let runs = [nil] + ["run_1", "run_2"].map { AutomationRun(name: "bot", run: $0, rootPid: 1) }
    let center = IdentityLink.sso(profile: "app", accountId: "123456789012", roleName: "Developer", place: Self.config)
    for chain in [Self.chain(), Self.chain(Self.keys, [named, named]), Self.chain(center, []), Self.chain(Self.keys, [])] {
      let plans = runs.map { run in
        CredentialPlan(
          chain, duration: nil, sessionName: nil, defaultSessionName: RoleSessionName(cleaning: "alice@laptop"), run: run)
      }
      #expect(Set(plans.compactMap { $0.delivered?.fingerprint }).count == 3)
      #expect(Set(plans.map { $0.steps.dropLast().map { $0.fingerprint } }).count == 1)
      #expect(chain.roles.isEmpty || Set(plans.map { $0.own?.fingerprint }).count == 1)
      let names = plans.compactMap { $0.steps.last?.sessionName.text }
      #expect(
        names.isEmpty || names == ["alice", "alice", "alice"] || names == ["alice@laptop", "bot-run_1", "bot-run_2"], "\(names)")
    }
  }

  @Test("every scope and role has its own fingerprint, and the order of tags and policies does not count")
  func fingerprints() throws {
    let policies = ["arn:aws-cn:iam::aws:policy/A", "arn:aws-cn:iam::aws:policy/B"]
    let scopes: [SessionScope] = [
      .none, .readOnly, SessionScope { $0.policy = "{}" }, SessionScope { $0.policyARNs = policies },
      SessionScope { $0.policyARNs = [policies[0]] }, Self.tagged([("a", "1"), ("b", "2")]), Self.tagged([("a", "1")]),
      Self.tagged([("a", "1")], ["a"]), SessionScope { $0.sourceIdentity = "alice" }, SessionScope { $0.externalId = "alice" },
    ]
    var seen: Set<String> = []
    for identity in [Self.chain(), Self.chain(Self.keys, [])] {
      for scope in scopes where identity.roles.count == 1 || (scope.sourceIdentity ?? scope.externalId) == nil {
        if identity.roles.isEmpty, !scope.transitiveTagKeys.isEmpty { continue }
        #expect(seen.insert(try #require(Self.plan(scope, identity).delivered).fingerprint).inserted, "\(scope)")
      }
    }
    let other = RoleARN("arn:aws-cn:iam::123456789012:role/other")
    for scope in scopes { #expect(seen.insert(try #require(Self.plan(scope, role: other).delivered).fingerprint).inserted) }
    for (one, same) in [
      (SessionScope { $0.policyARNs = policies }, SessionScope { $0.policyARNs = policies.reversed() }),
      (Self.tagged([("a", "1"), ("b", "2")], ["a", "b"]), Self.tagged([("b", "2"), ("a", "1")], ["b", "a"])),
    ] {
      #expect(try Self.plan(one).delivered?.fingerprint == Self.plan(same).delivered?.fingerprint)
    }
  }

  @Test("a role without a profile comes after its source's chain, with the device of the source's keys")
  func role() throws {
    let serial = "arn:aws:iam::123456789012:mfa/alice"
    let other = try #require(RoleARN("arn:aws-cn:iam::123456789012:role/other"))
    let plan = try Self.plan(.none, role: other, Self.chain(.keys(name: "base", accessKeyId: nil, mfaSerial: serial), []))
    #expect(plan.steps.map(\.link.roleARN) == [other] && plan.steps[0].link.mfaSerial == serial && !plan.isOwn)
    let chained = try Self.plan(.readOnly, role: other)
    #expect(chained.steps.map(\.link.roleARN) == [Self.role, other])
    #expect(chained.steps.map(\.link.policyARNs.count) == [0, 1])
    #expect(try chained.steps[0].fingerprint == Self.plan(.none).steps[0].fingerprint)
  }

  @Test(
    "an identity whose credentials AWS issues as they are is refused, and narrowed once a role follows it",
    arguments: [
      IdentityLink.sso(profile: "s", accountId: "123456789012", roleName: "Admin", place: config),
      .process(profile: "p", command: "/bin/get"), .container, .instance, .environment,
    ])
  func refused(identity: IdentityLink) throws {
    let failure = #expect(throws: Failure.self) { try Self.chain(identity, []).scoped(.readOnly, role: nil) }
    #expect(failure?.exitStatus == .configuration && failure?.hint?.contains("--role ARN --source app") == true)
    #expect(try Self.chain(identity, []).scoped(.none, role: nil) == Self.chain(identity, []))
    #expect(try Self.chain(identity).scoped(.readOnly, role: nil).roles[0].policyARNs.count == 1)
    let role = try #require(RoleARN("arn:aws:iam::123456789012:role/other"))
    #expect(try Self.chain(identity, []).scoped(.readOnly, role: role).roles[0].policyARNs.count == 1)
  }

  @Test("a token's or an assertion's role is narrowed by policies, and can have no tags")
  func federated() throws {
    let link = RoleLink(profile: "app", roleARN: Self.role)
    for identity in [
      IdentityLink.webIdentity(link, token: .file("/t")), .saml(link, providerARN: nil, command: nil),
    ] {
      let chain = Self.chain(identity, [])
      #expect(try chain.scoped(.readOnly, role: nil).identity.role?.policyARNs.count == 1)
      #expect(
        try Self.plan(.readOnly, chain).delivered?.fingerprint != Self.plan(.none, chain).delivered?.fingerprint)
      for scope in [Self.tagged([("a", "1")]), SessionScope { $0.sourceIdentity = "me" }, SessionScope { $0.externalId = "id" }] {
        #expect(throws: Failure.self) { try chain.scoped(scope, role: nil) }
      }
    }
  }

  @Test("access keys have a federation token for policies and tags, and nothing narrower by themselves")
  func accessKeys() throws {
    let chain = Self.chain(Self.keys, [])
    for scope in [SessionScope.readOnly, Self.tagged([("a", "1")])] {
      let plan = try Self.plan(scope, chain)
      #expect(plan.own?.isFederated == true && plan.own?.scope == scope)
    }
    #expect(try Self.plan(.none, chain).own?.isFederated == false)
    for scope in [Self.tagged([("a", "1")], ["a"]), SessionScope { $0.sourceIdentity = "me" }] {
      #expect(throws: Failure.self) { try chain.scoped(scope, role: nil) }
    }
    #expect(throws: Failure.self) { try chain.scoped(.readOnly, role: nil, keyUse: .themselves) }
  }

  @Test("what the profile says itself is kept, and what would replace or widen it is refused")
  func own() throws {
    let link = RoleLink(
      profile: "app", roleARN: Self.role, externalId: "x1", sourceIdentity: "alice", tags: [SessionTag(key: "a", value: "1")],
      policyARNs: ["arn:aws-cn:iam::aws:policy/ReadOnlyAccess"])
    let chain = Self.chain(Self.keys, [link])
    let more = try chain.scoped(Self.tagged([("b", "2")]), role: nil).roles[0]
    #expect(more.tags.map(\.key) == ["a", "b"] && more.policyARNs == link.policyARNs && more.externalId == "x1")
    // What it has already is its own session.
    #expect(try chain.scoped(.readOnly, role: nil) == chain)
    for scope in [
      SessionScope { $0.policy = "{}" }, SessionScope { $0.policyARNs = ["arn:aws-cn:iam::aws:policy/A"] },
      Self.tagged([("A", "2")]), SessionScope { $0.sourceIdentity = "bob" }, SessionScope { $0.externalId = "x2" },
    ] {
      let failure = #expect(throws: Failure.self) { try chain.scoped(scope, role: nil) }
      #expect(failure?.exitStatus == .configuration && failure?.message.contains("\"app\"") == true)
    }
  }

  @Test("a policy of another account or partition is refused before AWS is asked")
  func foreignPolicy() throws {
    for arn in ["arn:aws-cn:iam::210987654321:policy/A", "arn:aws:iam::aws:policy/A"] {
      #expect(throws: Failure.self) { try Self.chain().scoped(SessionScope { $0.policyARNs = [arn] }, role: nil) }
    }
    let near = SessionScope { $0.policyARNs = ["arn:aws-cn:iam::123456789012:policy/path/A"] }
    #expect(try Self.chain().scoped(near, role: nil).roles[0].policyARNs == near.policyARNs)
  }

  @Test("a template for renewals never serves a request of another scope or role")
  func templates() {
    let lease = { (role: RoleARN?) in
      LeaseRecord(
        id: "lse_1", tokenHash: [], port: 1, process: ProcessIdentity(pid: 1, started: 1, boot: ""), profile: "app", roleARN: nil,
        duration: nil, sessionName: nil, reason: nil, environment: [:], requester: .nobody, role: role)
    }
    #expect(throws: Never.self) {
      let wide = CredentialRequest(lease(nil))
      let narrow = try wide.narrowed(by: .readOnly)
      #expect(RenewalTemplate(narrow).serves(narrow) && RenewalTemplate(narrow).request.scope == .readOnly)
      #expect(!RenewalTemplate(wide).serves(narrow) && !RenewalTemplate(narrow).serves(wide))
      #expect(!RenewalTemplate(wide).serves(CredentialRequest(lease(Self.role))))
      #expect(narrow.again.scope == .readOnly && narrow.forRenewal.scope == .readOnly && narrow.for("b").scope == .readOnly)
    }
  }
}
