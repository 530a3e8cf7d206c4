import Foundation
import TestSupport
import Testing

/// `vault login URL`: from a start URL to profiles, in a home where nothing is configured.
@Suite(.endToEnd) struct URLSignInTests {
  private static let url = STSWorld.center.startURL

  private func stage(_ change: (inout STSWorld.IdentityCenter) -> Void = { _ in }) async throws -> (
    STSSimulatorProcess, TestVault
  ) {
    let simulator = try await STSSimulatorProcess()
    var center = STSWorld.center
    change(&center)
    try await simulator.change(IdentityChange(identityCenter: center))
    return (simulator, TestVault(environment: simulator.environment))
  }

  @Test("at a terminal, a URL is enough: the region is asked for, the sign-in made, profiles chosen, and the next command works")
  func terminal() async throws {
    let (simulator, vault) = try await stage()
    defer { withExtendedLifetime(simulator) {} }
    let typed = try await TypedDialogue.run(
      vault, ["login", "--device", Self.url],
      [("Region of the IAM Identity Center", "nowhere\n"), ("Region of the", "\n"), ("profiles to create", "\u{1}\r")],
      environment: ["AWS_REGION": "us-east-1"])
    #expect(typed.status == 0, "\(typed.shown)")
    #expect(typed.shown.contains("\"nowhere\" is not the name of a region") && typed.shown.contains("[us-east-1]"))
    #expect(typed.shown.contains("sso-session corp: \(Self.url) in us-east-1") && typed.shown.contains("signed in to corp"))
    let next = try #require(typed.shown.split(whereSeparator: \.isNewline).first { $0.contains("next: vault exec ") })
    let profile = String(try #require(next.split(separator: " ").dropFirst(4).first))
    try await vault.mustRun("exec", profile, "--", "true")
    #expect(try await vault.rows("list").count == STSWorld.center.accounts.reduce(0) { $0 + $1.roles.count })
    let rows = try await vault.rows("audit", "--action", "ProfileAdded")
    #expect(rows.contains { ($0["detail"] as? String) == "sso-session corp" })
    #expect(try await vault.run("audit", "verify").succeeded)
    // The files of the AWS CLI were not needed, and none was made.
    #expect(try FileManager.default.contentsOfDirectory(atPath: vault.folder.file("home/.aws")).isEmpty)
  }

  @Test("without a terminal, the URL and its region sign in and say what to type; --all makes the profiles at once")
  func script() async throws {
    let (simulator, vault) = try await stage()
    defer { withExtendedLifetime(simulator) {} }
    let missing = try await vault.run("login", "--device", Self.url)
    #expect(missing.end == .exit(64) && missing.errors.contains("--sso-region REGION"), "\(missing.errors)")
    #expect(try await vault.rows("list").isEmpty)
    let plain = try await vault.run("login", "--device", Self.url, "--sso-region", "us-east-1")
    #expect(plain.succeeded && plain.errors.contains("next: vault login corp --discover --all"), "\(plain.errors)")
    let all = try await vault.run("login", "--device", Self.url, "--sso-region", "us-east-1", "--all")
    #expect(all.succeeded && all.errors.contains("next: vault exec "), "\(all.errors)")
    // The same URL again is the same sign-in, and the portal's own fragment does not make another.
    let again = try await vault.run("login", "--device", Self.url + "/#/", "--format", "csv")
    #expect(again.succeeded && again.output.hasPrefix("accountId,"), "\(again.errors)")
    #expect(!again.errors.contains("sso-session corp:"))
  }

  @Test("a sign-in that fails leaves no sso-session behind, and none that was there is changed")
  func failure() async throws {
    let (simulator, vault) = try await stage()
    defer { withExtendedLifetime(simulator) {} }
    let wrong = try await vault.run("login", "--device", "https://corp.awsapps.com/other", "--sso-region", "us-east-1")
    #expect(!wrong.succeeded && wrong.errors.contains("hint:"), "\(wrong.errors)")
    let none = try await vault.run("login", "--device", "corp")
    #expect(none.errors.contains("no sso-session or profile \"corp\""), "\(none.errors)")
    vault.config("[sso-session corp]\nsso_start_url = https://corp.awsapps.com/other\nsso_region = eu-west-1\n")
    try await vault.mustRun("import")
    let made = try await vault.run("login", "--device", Self.url, "--sso-region", "us-east-1")
    #expect(made.succeeded && made.errors.contains("sso-session corp-2"), "\(made.errors)")
  }

  @Test("a person who leaves the sign-in leaves no sso-session behind; who leaves the list is told how to go on")
  func left() async throws {
    let (simulator, vault) = try await stage { $0.approves = false }
    let words = ["login", "--device", Self.url, "--sso-region", "us-east-1"]
    let waiting = try await TypedDialogue.run(vault, words, [("waiting for you to sign in", "\u{3}")])
    #expect(waiting.status == -SIGINT && waiting.shown.contains("sso-session corp:"), "\(waiting.shown)")
    let deadline = Date().addingTimeInterval(30)
    var removed: [[String: Any]] = []
    while removed.isEmpty, Date() < deadline {
      removed = try await vault.rows("audit", "--action", "ProfileRemoved")
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(removed.count == 1 && removed.first?["detail"] as? String == "sso-session corp", "\(removed)")
    try await simulator.change(IdentityChange(identityCenter: STSWorld.center))
    let list = try await TypedDialogue.run(vault, words, [("profiles to create", "\u{3}")])
    #expect(list.status == 130 && list.shown.contains("next: vault login corp --discover"), "\(list.shown)")
    let again = try await TypedDialogue.run(vault, ["login", "corp", "--discover"], [("profiles to create", "\u{1B}")])
    #expect(again.status == 130 && !again.shown.contains("next:"), "\(again.shown)")
    #expect(try await vault.rows("list").isEmpty)
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a second sign-in for the same URL in another region is named, with its undo; no region is no sign-in")
  func regions() async throws {
    let (simulator, vault) = try await stage()
    defer { withExtendedLifetime(simulator) {} }
    let none = try await TypedDialogue.run(
      vault, ["login", "--device", Self.url], Array(repeating: ("Region of the", "Europe\n"), count: 3))
    #expect(none.status == 64 && none.shown.contains("nothing was changed"), "\(none.shown)")
    try await vault.mustRun("login", "--device", Self.url, "--sso-region", "us-east-1")
    let other = try await vault.run("login", "--device", Self.url, "--sso-region", "eu-west-1")
    #expect(other.succeeded && other.errors.contains("sso-session corp-2:"), "\(other.errors)")
    #expect(other.errors.contains("corp has the same start URL in us-east-1; to undo this: vault remove corp-2"))
    try await vault.mustRun("remove", "corp-2")
    #expect(try await vault.run("login", "corp-2").errors.contains("no sso-session"))
  }

  @Test("a vanity URL is resolved by its redirect, which brings the region; nothing goes with the question")
  func vanity() async throws {
    let own = "https://ssoins-1.portal.us-east-1.app.aws"
    let (simulator, vault) = try await stage {
      $0.startURL = own
      $0.redirects = ["/vanity/corp": "/vanity/corp/login", "/vanity/corp/login": own + "/?region=x#/"]
    }
    let login = try await vault.run("login", "--device", simulator.url + "/vanity/corp", "--all")
    #expect(login.succeeded && login.errors.contains("\(own) in us-east-1"), "\(login.errors)")
    let asked = try await simulator.requests("VanityURL")
    #expect(asked.count == 2 && asked.allSatisfy { $0.parameters["headers"] == "accept host user-agent" }, "\(asked)")
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a vanity URL in a config file is resolved at each sign-in; another region than the config's is refused")
  func configured() async throws {
    let own = "https://ssoins-1.portal.us-east-1.app.aws"
    let (simulator, vault) = try await stage {
      $0.startURL = own
      $0.redirects = ["/vanity/corp": own]
    }
    func config(_ region: String) {
      vault.config("[sso-session corp]\nsso_start_url = \(simulator.url)/vanity/corp\nsso_region = \(region)\n")
    }
    config("us-east-1")
    try await vault.mustRun("import")
    try await vault.mustRun("login", "--device", "corp", "--discover", "--all")
    let started = try await simulator.requests("StartDeviceAuthorization")
    #expect(started.count == 1)
    config("eu-west-1")
    let moved = try await vault.run("login", "--device", "corp")
    #expect(moved.end == .exit(78) && moved.errors.contains("but sso_region is eu-west-1"), "\(moved.errors)")
  }

  @Test(
    "a hostile redirect is not followed, and nothing is made",
    arguments: [
      ("http://corp.awsapps.com/start", "is not AWS"), ("https://evil.example/start", "redirects to https://evil.example"),
      ("http://169.254.169.254/latest", "is not AWS"), ("/vanity/loop", "more than 4 times"),
      ("javascript:alert(1)", "is not AWS"),
    ])
  func hostile(location: String, message: String) async throws {
    let (simulator, vault) = try await stage { $0.redirects = ["/vanity/loop": location] }
    let refused = try await vault.run("login", "--device", simulator.url + "/vanity/loop", "--sso-region", "us-east-1")
    #expect(!refused.succeeded && refused.errors.contains(message), "\(refused.errors)")
    #expect(!FileManager.default.fileExists(atPath: vault.folder.file("vault/master.key")))
    #expect(try await simulator.report().requests.allSatisfy { $0.action == "VanityURL" })
  }

  @Test("plain http is refused, on this machine too unless it is trusted")
  func plain() async throws {
    let (simulator, vault) = try await stage()
    let far = try await vault.run("login", "http://corp.awsapps.com/start")
    #expect(far.end == .exit(64) && far.errors.contains("not the start URL"), "\(far.errors)")
    vault.trust([])
    let near = try await vault.run("login", simulator.url + "/vanity/corp")
    #expect(near.end == .exit(77) && near.errors.contains("is not a trusted endpoint; nothing was sent"), "\(near.errors)")
    #expect(try await simulator.requests("VanityURL").isEmpty)
  }

  @Test("`add` with a start URL makes an sso-session, `edit` and `remove` know it")
  func add() async throws {
    let (simulator, vault) = try await stage()
    defer { withExtendedLifetime(simulator) {} }
    let added = try await vault.run("add", "work", "--set", "sso_start_url=\(Self.url)", "--set", "sso_region=us-east-1")
    #expect(added.succeeded && added.errors.contains("next: vault login work --discover"), "\(added.errors)")
    let twice = try await vault.run("add", "work", "--set", "sso_start_url=\(Self.url)", "--set", "sso_region=us-east-1")
    #expect(!twice.succeeded && twice.errors.contains("already exists"))
    #expect(!twice.errors.contains("vault: vault:"))
    let unknown = try await vault.run("add", "other", "--set", "sso_start_url=\(Self.url)")
    #expect(unknown.end == .exit(64) && unknown.errors.contains("the region of"), "\(unknown.errors)")
    let wrong = try await vault.run("edit", "work", "--set", "sso_region=Nowhere")
    #expect(wrong.end == .exit(78) && !wrong.errors.contains("vault: vault:"), "\(wrong.errors)")
    try await vault.mustRun("edit", "work", "--set", "sso_registration_scopes=sso:account:access")
    try await vault.mustRun("login", "work", "--device", "--discover", "--all")
    let used = try await vault.run("remove", "work")
    #expect(!used.succeeded && used.errors.contains("is used by"), "\(used.errors)")
    for row in try await vault.rows("list") { try await vault.mustRun("remove", try #require(row["profile"] as? String)) }
    try await vault.mustRun("remove", "work")
    #expect(try await vault.run("login", "work").errors.contains("no sso-session"))
    #expect(try await vault.run("audit", "verify").succeeded)
  }
}
