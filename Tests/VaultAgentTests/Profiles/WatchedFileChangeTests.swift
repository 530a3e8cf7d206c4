import AWSConfig
import Glibc
import TestSupport
import Testing
import VaultDatabase
import VaultKeys
import VaultModel
import VaultSecrets

@testable import VaultAgent
@testable import VaultStore
import VaultWire

extension VaultStore {
  /// Rows that this store's connection has written so far.
  fileprivate func rowsWritten() throws -> Int64 {
    try database.prepare("SELECT total_changes()").begin().first { $0.int(0) } ?? 0
  }
}

@Suite("A change of a followed file") struct FollowedChangeTests {
  /// A vault that follows a config file of the test's own.
  private final class Follower {
    let stage: StoreStage
    let catalog: ProfileCatalog
    let reader: VaultReader
    private var time = 1_000_000

    init(_ config: String, credentials: String = "") async throws {
      let stage = try await StoreStage(profiles: [], AnsweringTransport { _ in "" })
      self.stage = stage
      let masterKeys = MasterKeyService(store: stage.store, defaultStore: .ephemeral, clock: stage.clock, events: stage.events) {
        _ in
        EphemeralKeyStore(hasOwnFolder: true)
      }
      catalog = ProfileCatalog(
        store: stage.store, masterKeys: masterKeys, reader: try VaultReader(path: stage.folder.file("vault.db"), isBrief: false),
        defaultSessionName: RoleSessionName(cleaning: "alice@laptop"), clock: stage.clock)
      reader = try VaultReader(path: stage.folder.file("vault.db"), isBrief: false)
      write(config, credentials)
      let request = ImportRequest {
        ($0.config, $0.credentials) = (stage.folder.file("config"), stage.folder.file("credentials"))
        $0.home = "/home/alice"
      }
      _ = try await catalog.importFiles(request, requester: StoreStage.me, prompter: NonInteractivePrompter())
    }

    /// Writes the files, with a time of their own, whatever the clock's grain.
    func write(_ config: String, _ credentials: String = "") {
      time += 1
      for (text, name) in [(config, "config"), (credentials, "credentials")] {
        let path = stage.folder.write(text, to: name)
        let times = [timespec(tv_sec: time, tv_nsec: 0), timespec(tv_sec: time, tv_nsec: 0)]
        precondition(utimensat(AT_FDCWD, path, times, 0) == 0)
      }
    }

    /// Asks for something, as a command does.
    /// - Returns: the rows that were written meanwhile.
    @discardableResult
    func observe() async throws -> Int64 {
      let before = try await stage.store.rowsWritten()
      try await catalog.observeChanges(NonInteractivePrompter(), StoreStage.me)
      return try await stage.store.rowsWritten() - before
    }

    func plan(_ profile: String) async throws -> CredentialPlan {
      try await catalog.plan(
        for: profile, duration: nil, sessionName: nil, environment: [:], prompter: NonInteractivePrompter(),
        requester: StoreStage.me)
    }

    func tamper(_ sql: String) throws { try Database(path: stage.folder.file("vault.db"), access: .readWrite).execute(sql) }

    /// All that the tables say of the profiles and sections, but for the numbers of rows.
    func tables() throws -> [String] {
      let database = try Database(path: stage.folder.file("vault.db"), access: .readOnly)
      let lines =
        "(SELECT group_concat(s.name || '|' || ifnull(s.nested, '-') || '|' || s.value || '|' || s.file || s.line) FROM setting_line s WHERE s."
      return try database.prepare(
        """
        SELECT name || '|' || is_own || '|' || origin || '|' || ifnull(kind, '-') || '|' || ifnull(role_arn, '-') || '|' \
        || ifnull(source, '-') || '|' || ifnull(region, '-') || '|' || ifnull(problem, '-') || '|' || ifnull(sign_in, '-') || '|' \
        || ifnull(\(lines)profile_id = p.id), '') FROM profile p WHERE removed_at IS NULL \
        UNION ALL SELECT kind || name || is_own || ifnull(\(lines)section_id = f.id), '') FROM shared_section f ORDER BY 1
        """
      ).begin().rows { $0.text(0) }
    }

    func problem(_ profile: String) throws -> String? {
      let database = try Database(path: stage.folder.file("vault.db"), access: .readOnly)
      return try database.prepare("SELECT ifnull(problem, '') FROM profile WHERE name = ?").begin().bind(profile)
        .first { $0.text(0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether every row is the vault's own word.
    func isProven() async throws -> Bool {
      let macs = try await stage.store.authenticRows()
      guard await stage.store.fileRows == .asWritten else { return false }
      let keys =
        try reader.profileNames().map { (SectionKind.profile, $0) }
        + [SectionKind.ssoSession, .services].flatMap { kind in try reader.sectionNames(kind).map { (kind, $0) } }
      return try keys.allSatisfy { try reader.storedSection($0, $1).map { macs.vouch(for: $0) } == true }
    }
  }

  private static func role(_ name: String, region: String = "eu-west-1", source: String = "base") -> String {
    "[profile \(name)]\nrole_arn = arn:aws:iam::123456789012:role/\(name)\nsource_profile = \(source)\nregion = \(region)\n"
  }
  private static let base = "[profile base]\ncredential_process = /bin/true\n"
  private static let many = base + (0..<300).map { role("p\($0)") }.joined()

  @Test("one line in one of hundreds of profiles writes that profile's rows alone, at the first change and at each later one")
  func oneLine() async throws {
    let follower = try await Follower(Self.many)
    #expect(try await follower.observe() == 0)
    for region in ["us-east-1", "us-east-2", "us-west-1"] {
      follower.write(Self.many.replacing(Self.role("p7"), with: Self.role("p7", region: region)))
      // The profile and its summary, its lines twice, the files twice, the sets, the row of the audit log.
      let written = try await follower.observe()
      #expect((10...20).contains(written))
      #expect(try follower.reader.section(.profile, "p7")?.text("region") == region)
      #expect(try await follower.isProven())
    }
    follower.write(Self.many + "# the end\n")
    #expect(try await follower.observe() < 20)
  }

  @Test("only the section that changed is read from the file")
  func readAlone() async throws {
    let follower = try await Follower(Self.many)
    for region in ["us-east-1", "us-east-2"] {
      follower.write(Self.many.replacing(Self.role("p7"), with: Self.role("p7", region: region)))
      let rows = try #require(try await follower.stage.store.knownFileRows(besides: await follower.catalog.marks?.generation))
      let marks = await follower.catalog.marks
      let known = KnownSections(own: [], held: [:], rows: rows, marks: marks)
      let sources = try #require(
        try ImportSources(
          changedIn: try await follower.stage.store.watchedFiles(), known: known, reader: follower.reader))
      #expect(sources.sections(holding: []).map(\.name) == ["p7"])
      #expect(sources.changes?.unchanged.keys.count == 300)
      try await follower.observe()
      #expect(await follower.catalog.marks != nil)
    }
  }

  @Test("what a profile leads to changes with it: sources, includes and sign-ins, over several steps")
  func chains() async throws {
    let rest =
      Self.role("a", source: "base") + Self.role("b", source: "a") + "[profile c]\ninclude_profile = b\n[profile d]\nregion = x\n"
    let follower = try await Follower(Self.base + rest)
    #expect(try follower.problem("c") == nil)
    for _ in 0..<2 {
      follower.write("[profile base]\nregion = us-east-1\n" + rest)
      try await follower.observe()
      for name in ["a", "b", "c"] { #expect(try follower.problem(name)?.contains("base") == true) }
      follower.write(Self.base + rest)
      try await follower.observe()
      for name in ["a", "b", "c"] { #expect(try follower.problem(name) == nil) }
    }
  }

  @Test(
    "whatever changes, one after the other, the tables are as of a vault that takes the files in as a whole", arguments: 0..<8)
  func sameAsWhole(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    var sections = (0..<12).map { Self.any($0, &random) }
    var credentials = "[p1]\nregion = us-east-1\n"
    let follower = try await Follower(sections.joined(), credentials: credentials)
    for _ in 0..<12 {
      switch random.next() % 6 {
      case 0: sections.remove(at: Int(random.next() % UInt64(sections.count)))
      case 1: sections.insert(Self.any(Int(random.next() % 16), &random), at: Int(random.next() % UInt64(sections.count)))
      case 2: credentials = "[p\(random.next() % 8)]\nregion = us-west-\(random.next() % 2)\n"
      case 3: sections.append("[profile p\(random.next() % 12)]\nregion = us-east-\(random.next() % 2)\n")
      case 4: sections.insert("# a line\n", at: Int(random.next() % UInt64(sections.count)))
      default:
        let index = Int(random.next() % UInt64(sections.count))
        sections[index] = Self.any(index, &random)
      }
      follower.write(sections.joined(), credentials)
      try await follower.observe()
      let whole = try await Follower(sections.joined(), credentials: credentials)
      let here = try follower.tables().map { $0.replacing(follower.stage.folder.path, with: "~") }
      #expect(try here == whole.tables().map { $0.replacing(whole.stage.folder.path, with: "~") })
      #expect(try await follower.isProven())
    }
  }

  private static func any(_ number: Int, _ random: inout SeededGenerator) -> String {
    let other = "p\(random.next() % 12)"
    return switch random.next() % 7 {
    case 0: "[profile p\(number)]\ncredential_process = /bin/x\(random.next() % 3)\n"
    case 1: "[profile p\(number)]\ninclude_profile = \(other)\n"
    case 2: "[profile p\(number)]\nsso_session = s\(random.next() % 2)\nsso_account_id = 123456789012\nsso_role_name = r\n"
    case 3:
      "[sso-session s\(random.next() % 2)]\nsso_start_url = https://x\(random.next() % 3).awsapps.com/start\nsso_region = us-east-1\n"
    case 4: "[services v]\nsts =\n  endpoint_url = https://x\(random.next() % 3).example\n"
    default: role("p\(number)", region: "us-east-\(random.next() % 2)", source: other) + "services = v\n"
    }
  }

  @Test("a profile of the vault's own that comes and goes is seen by those of the files that lead to it")
  func own() async throws {
    let config = Self.role("a", source: "mine") + Self.role("b")
    let follower = try await Follower(config)
    #expect(try follower.problem("a") != nil)
    let settings = [Setting(name: "credential_process", value: .text("/bin/true"), origin: .vault)]
    try await follower.stage.store.putProfiles(
      [("mine", settings, ProfileSummary(name: "mine", kind: .process))], requester: StoreStage.me)
    follower.write(config + "# more\n")
    try await follower.observe()
    #expect(try follower.problem("a") == nil)
    follower.write(config + Self.base.replacing("base", with: "mine"))
    try await follower.observe()
    #expect(try follower.reader.shadowedSections().map(\.profile) == ["mine"])
    try await follower.catalog.remove("mine", requester: StoreStage.me)
    try await follower.observe()
    #expect(try follower.tables().contains { $0.hasPrefix("mine|0|") })
    #expect(try follower.problem("a") == nil)
  }

  @Test(
    "rows that another program changed beside an unchanged section are found, and written anew from the file",
    arguments: [
      "UPDATE setting_line SET value = 'arn:aws:iam::666666666666:role/evil' WHERE value LIKE '%role/p3'",
      "DELETE FROM setting_line WHERE profile_id = (SELECT id FROM profile WHERE name = 'p3')",
      "UPDATE profile SET mac = zeroblob(32) WHERE name = 'p3'",
      "UPDATE profile SET mac = (SELECT mac FROM profile WHERE name = 'p4') WHERE name = 'p3'",
      "UPDATE profile SET removed_at = 1 WHERE name = 'p3'", "UPDATE profile SET is_own = 1 WHERE name = 'p3'",
      "UPDATE followed_file SET size = 1", "DELETE FROM row_set WHERE name = 'files'",
    ], [false, true])
  func foreign(sql: String, hasMarks: Bool) async throws {
    let follower = try await Follower(Self.many)
    if hasMarks {
      follower.write(Self.many.replacing(Self.role("p9"), with: Self.role("p9", region: "us-east-1")))
      try await follower.observe()
    }
    #expect((await follower.catalog.marks != nil) == hasMarks)
    try follower.tamper(sql)
    follower.write(Self.many.replacing(Self.role("p9"), with: Self.role("p9", region: "us-east-2")))
    try await follower.observe()
    guard !sql.contains("is_own") else {
      // A row of the vault's own that nobody with its key wrote is not read from any file.
      await #expect(throws: RowError.section(.profile, name: "p3", isOwn: true)) { try await follower.plan("p3") }
      return
    }
    let plan = try await follower.plan("p3")
    #expect(plan.steps.last?.link.roleARN.text == "arn:aws:iam::123456789012:role/p3")
    #expect(try await follower.isProven())
    #expect(try follower.reader.section(.profile, "p9")?.text("region") == "us-east-2")
  }

  @Test("a line at the top, by which all others move, is taken in as a whole, and the next change alone")
  func moved() async throws {
    func text(_ region: String) -> String {
      Self.base + (0..<1_100).map { Self.role("p\($0)", region: $0 == 9 ? region : "eu-west-1") }.joined()
    }
    let follower = try await Follower(text("eu-west-1"))
    follower.write("# a line\n" + text("eu-west-1"))
    try await follower.observe()
    #expect(try follower.reader.section(.profile, "p1")?.settings.first?.origin.line == 9)
    #expect(try await follower.isProven())
    follower.write("# a line\n" + text("us-east-1"))
    #expect(try await follower.observe() < 20)
    #expect(await follower.catalog.marks != nil)
  }

  @Test("a fault in a file is the first of the whole file, and the profiles stay as they were")
  func fault() async throws {
    let follower = try await Follower(Self.many)
    let before = try follower.tables()
    follower.write(
      Self.many.replacing(Self.role("p200"), with: "[profile p200]\nx\n").replacing(
        Self.role("p100"), with: "[profile p100]\ny\n"))
    await #expect { try await follower.observe() } throws: { error in
      guard case .syntax(_, let line, _)? = error as? ConfigError else { return false }
      return line == 2 + 400 + 2
    }
    #expect(try follower.tables() == before)
  }
}
