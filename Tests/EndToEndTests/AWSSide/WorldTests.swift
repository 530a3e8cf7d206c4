import AWSPolicy
import Foundation
import TestSupport
import Testing

/// The whole way: what `vault iam generate` prints is applied, `vault exec` succeeds through it, and of each part that is missing or
/// wrong `vault iam check` and `vault iam why` say so.
@Suite(.endToEnd) struct WorldTests {
  /// A vault with the article's profile, whose person is signed in.
  private struct Laptop {
    let vault: TestVault
    let simulator: STSSimulatorProcess

    /// - Parameters:
    ///   - settings: more of the profile's.
    ///   - region: IAM Identity Center's.
    init(settings: [String] = [], region: String = "eu-central-1") async throws {
      var center = STSWorld.center
      (center.startURL, center.region) = ("https://my-org.awsapps.com/start", region)
      simulator = try await STSSimulatorProcess(STSWorld(identityCenter: center))
      vault = TestVault(environment: simulator.environment)
      let article = try Repository.text("Tests/EndToEndTests/Fixtures/article/config")
        .replacing("sso_region = us-east-1", with: "sso_region = \(region)")
      vault.config(
        article + settings.joined(separator: "\n") + "\n\n[profile admin]\nregion = us-east-1\n")
      vault.credentials(
        """
        [admin]
        aws_access_key_id = \(STSWorld.aliceAccessKeyId)
        aws_secret_access_key = \(STSWorld.aliceSecretAccessKey)

        """)
      try await vault.mustRun("import")
      try await vault.mustRun("login", "--device", "my-sso")
    }

    /// What the vault says that the account needs.
    func generated() async throws -> ArticleWorld {
      let json = try await vault.mustRun("iam", "generate", "app-dev", "--policy", RoleSetupStage.policy, "--format", "json")
      return try ArticleWorld(try await RoleSetupStage.read("json", vault.folder.write(json, to: "setup.json")))
    }

    /// Puts the account in order, and forgets what was issued before.
    func enter(_ world: ArticleWorld) async throws {
      try await simulator.change(to: world.world)
      _ = try await vault.run("forget", "--all")
    }

    func exec() async throws -> Subprocess.Result { try await vault.run("exec", "app-dev", "--", "true") }

    func findings() async throws -> [CheckedFinding] {
      try CheckedFinding.read(try await vault.run("iam", "check", "app-dev", "--with", "admin", "--format", "json")).findings
    }

    func why(_ words: String...) async throws -> [String: Any] {
      let result = try await vault.run(words: ["iam", "why", "app-dev", "--format", "json"] + words)
      return try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any], "\(result.errors)")
    }
  }

  @Test("the script's own account, as moto has it, lets the person in through Identity Center, and nothing differs")
  func applied() async throws {
    let laptop = try await Laptop(region: "us-east-1")
    let moto = try await MotoServer()
    let script = laptop.vault.folder.write(
      try await laptop.vault.mustRun("iam", "generate", "app-dev", "--policy", RoleSetupStage.policy, "--format", "script"),
      to: "setup.sh")
    #expect(try await moto.apply(script).succeeded)
    var world = try ArticleWorld(try await RoleSetupStage.read("moto", moto.url, "my-application-dev-role"))
    world.region = "us-east-1"
    try await laptop.enter(world)
    let run = try await laptop.vault.run("exec", "app-dev", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID")
    #expect(run.succeeded && run.output.hasPrefix("ASIA"), "\(run.errors)")
    #expect(try await laptop.findings().allSatisfy { $0.state == "ok" })
    #expect(try await laptop.vault.mustRun("show", "app-dev").contains("AWS side  10 checks  checked "))
  }

  enum Part: String, CaseIterable {
    case trusts, people, accounts

    var worlds: [BrokenWorld] {
      switch self {
      case .trusts: BrokenWorld.trusts
      case .people: BrokenWorld.people
      case .accounts: BrokenWorld.accounts
      }
    }
  }

  @Test("each world that is wrong is named by check and by why", arguments: Part.allCases)
  func broken(_ part: Part) async throws {
    var laptops: [[String]: (Laptop, ArticleWorld)] = [:]
    for broken in part.worlds {
      // The settings of the profile are part of what is broken; the account is set up for them.
      var probe = try ArticleWorld.empty
      broken.breaks(&probe)
      if laptops[probe.settings] == nil {
        let laptop = try await Laptop(settings: probe.settings)
        let good = try await laptop.generated()
        try await laptop.enter(good)
        #expect(try await laptop.exec().succeeded, "\(probe.settings)")
        laptops[probe.settings] = (laptop, good)
      }
      let (laptop, good) = try #require(laptops[probe.settings])
      var world = good
      broken.breaks(&world)
      try await laptop.enter(world)
      if let fault = world.fault { try await laptop.simulator.queue(fault) }
      let run = try await laptop.exec()
      #expect(run.succeeded == (broken.refusedBy == nil), "\(broken.what)\n\(run.errors)")
      let findings = try await laptop.findings()
      if let check = broken.check {
        #expect(
          findings.contains {
            $0.check == check && $0.state != "ok" && (broken.words.isEmpty || $0.detail.contains(broken.words))
          },
          "\(broken.what)\n\(findings)")
        // Nothing else is blamed, except the call that AWS refuses.
        let others = findings.filter { ![check, "assume-role", "identity"].contains($0.check) && $0.state == "differs" }
        #expect(others.map(\.check).allSatisfy { broken.also.contains($0) }, "\(broken.what)\n\(others)")
      } else {
        #expect(findings.allSatisfy { $0.state != "differs" }, "\(broken.what)\n\(findings)")
      }
      guard let side = broken.refusedBy else { continue }
      #expect(run.end == .exit(broken.exit), "\(broken.what): \(run.end)")
      let answer = try await laptop.why("--profile", "admin")
      #expect(answer["refusedBy"] as? String == side, "\(broken.what)\n\(answer)")
      #expect((answer["fix"] as? [String: Any])?["who"] is String, "\(broken.what)\n\(answer)")
      // No proposal ever names a session.
      #expect(!"\(answer["fix"] ?? "")".contains(":assumed-role/"), "\(broken.what)")
      // Without permission to look, the words alone are explained, and no side is claimed that they do not name.
      let words = try await laptop.why("--offline")
      #expect(["unknown", side].contains(words["refusedBy"] as? String), "\(broken.what)\n\(words)")
    }
  }

  @Test("at least forty worlds are wrong, each in its own way")
  func count() {
    let all = Part.allCases.flatMap(\.worlds)
    #expect(all.count >= 40)
    #expect(Set(all.map(\.what)).count == all.count)
  }
}
