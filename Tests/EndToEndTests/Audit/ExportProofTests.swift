import Foundation
import TestSupport
import Testing

/// An exported log in the hands of somebody who was given the file, and a key or the public key.
@Suite(.endToEnd, .sharesFixtures) struct ExportProofTests {
  private struct Given: SharedFixture {
    let simulator: STSSimulatorProcess
    let vault: TestVault
    let file: String
    let key: String
    /// The first row whose MAC the key checks.
    let keyed: Int
    let publicKey: String
    let lines: [String]

    func state() async throws -> String { try String(contentsOfFile: file, encoding: .utf8) }
  }

  /// A log with a few hundred rows, some of them hostile, a signed head in its midst and one at its end.
  private func given() async throws -> Given { try await .shared { try await Self.make() } }

  private static func make() async throws -> Given {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    let text = try await vault.mustRun("audit", "key", "--new")
    let keyed = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    let key = vault.folder.write(text, to: "auditor.key")
    for number in 0..<8 {
      try await vault.mustRun("exec", "app-dev", "--reason", "é \u{1B}[2J \"\\\n\u{202E} \(number)", "--", "true")
    }
    _ = try await vault.run("exec", "bob-dev", "--", "true")
    let many = try await Subprocess.run(
      "/bin/sh", ["-c", "for i in $(seq 260); do \(try Programs.vault) exec partner -- true || exit 1; done"],
      environment: vault.environment)
    #expect(many.succeeded, "\(many.errors)")
    let file = vault.folder.file("log.jsonl")
    let made = try await vault.run("audit", "export", "--format", "jsonl", "--whole", "--output", file)
    #expect(made.succeeded && made.errors.isEmpty, "\(made.errors)")
    let publicKey = try await vault.mustRun("audit", "key").trimmingCharacters(in: .whitespacesAndNewlines)
    let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map(String.init)
    return Given(simulator: simulator, vault: vault, file: file, key: key, keyed: keyed, publicKey: publicKey, lines: lines)
  }

  private func verify(_ given: Given, _ lines: [String], _ words: String...) async throws -> Subprocess.Result {
    try await verify(given, lines, words)
  }

  private func verify(_ given: Given, _ lines: [String], _ words: [String]) async throws -> Subprocess.Result {
    let folder = TemporaryDirectory()
    defer { withExtendedLifetime(folder) {} }
    let file = folder.write(lines.map { $0 + "\n" }.joined(), to: "changed.jsonl")
    return try await given.vault.run(words: ["audit", "verify", file] + words)
  }

  @Test("a whole export is proven by the file alone, by the public key, by a code key, and compressed")
  func whole() async throws {
    let given = try await given()
    let vault = given.vault
    #expect(given.lines.count > 256 && given.lines.filter { $0.contains("\"head\":") }.count >= 2)
    let alone = try await vault.run("audit", "verify", given.file)
    #expect(
      alone.succeeded && alone.output.contains("verified: rows 1 to \(given.lines.count), up to a signed checkpoint"),
      "\(alone.errors)"
    )
    #expect(alone.errors.contains(given.publicKey))
    let signed = try await vault.run("audit", "verify", given.file, "--public-key", given.publicKey)
    #expect(signed.succeeded && signed.errors.isEmpty, "\(signed.errors)")
    #expect(try await vault.run("audit", "verify", given.file, "--key", given.key).succeeded)
    let other = try await vault.run("audit", "verify", given.file, "--public-key", String(given.publicKey.reversed()))
    #expect(other.end == .exit(65) && other.errors.contains("another key"))
    #expect(try await Subprocess.run("/usr/bin/gzip", ["-k", given.file], environment: [:], timeout: 20).succeeded)
    #expect(try await vault.run("audit", "verify", given.file + ".gz", "--public-key", given.publicKey).succeeded)
    // Whitespace is not what is proven.
    let pretty = given.lines.map { $0.replacingOccurrences(of: ",\"sequence\":", with: " , \"sequence\" : ") }
    #expect(try await verify(given, pretty).succeeded)
  }

  @Test("an agent that does not run signs nothing, and that is said")
  func unsigned() async throws {
    let vault = TestVault()
    mkdir(vault.vaultHome, 0o700)
    let copied = try await Subprocess.run(
      "/usr/bin/sqlite3", ["-readonly", try await given().vault.database, ".backup '\(vault.database)'"], environment: [:])
    #expect(copied.succeeded && chmod(vault.database, 0o600) == 0, "\(copied.errors)")
    let file = vault.folder.file("log.jsonl")
    let unsigned = try await vault.run("audit", "export", "--format", "jsonl", "--whole", "--output", file)
    #expect(unsigned.succeeded && unsigned.errors.contains("not signed: no agent is running"))
    let tail = try await vault.run("audit", "verify", file)
    #expect(tail.end == .exit(65) && tail.errors.contains("after the last checkpoint"), "\(tail.errors)")
    let part = try await vault.run("audit", "verify", "--partial", file)
    #expect(part.succeeded && part.errors.contains("after the last checkpoint"))
  }

  @Test("every kind of change to an exported file is found, and named")
  func mutations() async throws {
    let given = try await given()
    let lines = given.lines
    let count = lines.count
    func expect(_ changed: [String], _ words: String, _ what: String, with options: [String] = []) async throws {
      let result = try await verify(given, changed, options)
      #expect(
        result.end == .exit(65) && result.errors.contains(words), "\(what): \(result.end) \(result.output) \(result.errors)")
    }
    // Each value of a row, changed, taken out, or of another kind.
    let deliver = try #require(lines.firstIndex { $0.contains("\"Deliver\"") })
    let object = try #require(try JSONSerialization.jsonObject(with: Data(lines[deliver].utf8)) as? [String: Any])
    let number = try #require(object["sequence"] as? Int)
    func line(_ object: [String: Any]) throws -> String {
      String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }
    #expect(try await verify(given, lines.enumerated().map { try $0.offset == deliver ? line(object) : $0.element }).succeeded)
    func changes(_ object: [String: Any]) -> [(String, [String: Any])] {
      object.filter { !["requester", "mac", "head", "previousHash"].contains($0.key) }.flatMap {
        name, value -> [(String, [String: Any])] in
        let others: [Any] =
          switch value {
          case let text as String: [text + "x", 7, text.isEmpty ? NSNull() as Any : ""]
          case let flag as NSNumber where isFlag(flag): [!flag.boolValue, "true"]
          case let number as NSNumber: [number.intValue + 1, "\(number)"]
          default: ["x"]
          }
        return others.map { other in (name, object.merging([name: other]) { $1 }) }
          + (isNothing(value) ? [] : [("without " + name, object.filter { $0.key != name })])
      }
    }
    var tried = 0
    for (name, changed) in changes(object) {
      try await expect(lines.enumerated().map { try $0.offset == deliver ? line(changed) : $0.element }, "is not intact", name)
      tried += 1
    }
    let requester = try #require(object["requester"] as? [String: Any])
    // Files of a vault that did not write it yet are whole without.
    for (name, changed) in changes(requester) where name != "without proven" {
      let row = object.merging(["requester": changed]) { $1 }
      try await expect(lines.enumerated().map { try $0.offset == deliver ? line(row) : $0.element }, "is not intact", name)
      tried += 1
    }
    #expect(tried > 60)
    func with(_ place: Int, _ change: (String) -> String) -> [String] {
      lines.enumerated().map { $0.offset == place ? change($0.element) : $0.element }
    }
    try await expect(
      with(deliver) { $0.replacingOccurrences(of: "\"app-dev\"", with: "\"app-prod\"") }, "row \(number) was changed", "text")
    try await expect(with(deliver) { "{\"note\":\"x\"," + $0.dropFirst() }, "unknown field: note", "a field more")
    try await expect(with(deliver) { "{\"profile\":\"other\"," + $0.dropFirst() }, "profile twice", "a field twice")
    try await expect(with(deliver) { $0 + "{}" }, "extra text after the JSON object", "more behind")
    try await expect(with(deliver) { String($0.dropLast()) }, "is not a JSON object", "cut")
    // Rows.
    var changed = lines
    changed.remove(at: 7)
    try await expect(changed, "row 8 is missing", "removed")
    changed = lines
    changed.swapAt(7, 8)
    try await expect(changed, "row 8 was moved to line 9", "swapped")
    changed = lines
    changed.insert(lines[3], at: 9)
    try await expect(changed, "line 10 was inserted or moved", "inserted")
    try await expect(lines.reversed(), "line ", "reversed")
    try await expect(Array(lines.dropFirst()), "row 1 is missing", "without its beginning")
    try await expect(Array(lines.dropLast()), "after the last checkpoint", "cut off")
    try await expect(Array(lines.prefix(100)), "the file has no checkpoint", "cut off before a head")
    try await expect([], "is not an archive", "empty")
    // Codes and heads.
    try await expect(
      with(20) { $0.replacingOccurrences(of: "\"mac\":\"", with: "\"mac\":\"00") },
      "line 21 has a mac that is not 64 hexadecimal digits",
      "mac")
    try await expect(
      with(20) { $0.replacingOccurrences(of: "Z\",\"action\"", with: "z\",\"action\"") }, "line 21 has a time that is not a time",
      "letter of a time")
    func flip(_ field: String, _ line: String) -> String {
      guard let range = line.range(of: "\"\(field)\":\"") else { return line }
      let digit = line[range.upperBound]
      return line.replacingCharacters(in: range.upperBound...range.upperBound, with: digit == "0" ? "1" : "0")
    }
    try await expect(with(200) { flip("mac", $0) }, "row 201 was not written by the vault", "code", with: ["--key", given.key])
    try await expect(with(count - 1) { flip("signature", $0) }, "the checkpoint at row \(count)", "signature")
    try await expect(with(count - 1) { flip("publicKey", $0) }, "the checkpoint at row \(count)", "key of a head")
    try await expect(
      with(count - 1) { $0.replacingOccurrences(of: "\"vault\":\"vlt_", with: "\"vault\":\"vlt_x") },
      "the checkpoint at row \(count)", "vault")
  }

  @Test("bytes of the file changed at random are found, or say the same as before", arguments: [UInt64(11), 12])
  func bytes(seed: UInt64) async throws {
    let given = try await given()
    #expect((2..<30).contains(given.keyed))
    var random = SeededGenerator(seed: seed)
    let folder = TemporaryDirectory()
    let text = Array((given.lines.joined(separator: "\n") + "\n").utf8)
    for _ in 0..<150 {
      var changed = text
      let place = Int.random(in: 0..<changed.count, using: &random)
      changed[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
      let file = folder.file("bytes.jsonl")
      try Data(changed).write(to: URL(fileURLWithPath: file))
      let result = try await given.vault.run("audit", "verify", file, "--key", given.key, "--public-key", given.publicKey)
      guard result.succeeded else {
        #expect(result.end == .exit(65), "\(place): \(result.errors)")
        continue
      }
      // A letter of a hexadecimal number in upper case, or blanks: the same log. (JSON has no comments.)
      let before = try objects(text, keyed: given.keyed)
      #expect(
        try objects(changed, keyed: given.keyed).elementsEqual(before) { $0.isEqual($1) },
        "\(String(decoding: text[max(0, place - 60)...min(text.count - 1, place + 20)], as: UTF8.self)) became \(changed[place])")
    }
  }

  /// - Parameter keyed: the MACs of earlier rows are of keys that the auditor was not given, and prove nothing to him.
  private func objects(_ bytes: [UInt8], keyed: Int) throws -> [NSDictionary] {
    try bytes.split(separator: 10).map { line in
      let text = String(decoding: line, as: UTF8.self)
      let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
      var object = parsed
      for name in ["hash", "mac", "previousHash"] { object[name] = (parsed[name] as? String)?.lowercased() }
      if let sequence = parsed["sequence"] as? Int, sequence < keyed { object["mac"] = nil }
      if let head = parsed["head"] as? [String: Any] {
        object["head"] = head.mapValues { ($0 as? String)?.lowercased() ?? "\($0)" }
      }
      return object as NSDictionary
    }
  }

  @Test("a filtered export cannot be proven whole, which is said; a row of it that was changed is found all the same")
  func filtered() async throws {
    let given = try await given()
    let text = try await given.vault.mustRun("audit", "export", "--format", "jsonl", "--action", "AssumeRole")
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    let strict = try await verify(given, lines)
    #expect(strict.end == .exit(65) && strict.errors.contains("excluded by a filter") && strict.errors.contains("--partial"))
    let part = try await verify(given, lines, "--partial")
    #expect(
      part.succeeded && part.output.contains("the 3 rows are unchanged") && part.errors.contains("nothing is proven about them"))
    #expect(try await verify(given, lines, "--partial", "--key", given.key).succeeded)
    var changed = lines
    changed[0] = changed[0].replacingOccurrences(of: "\"app-dev\"", with: "\"app-prod\"")
    let found = try await verify(given, changed, "--partial")
    #expect(found.end == .exit(65) && found.errors.contains("was changed"), "\(found.errors)")
    #expect(try await given.vault.run("audit", "export", "--format", "jsonl", "--whole", "--user", "x").end == .exit(64))
    #expect(try await given.vault.run("audit", "export", "--format", "csv", "--whole").end == .exit(64))
  }

  @Test("a log of a hundred thousand rows that another program made is read in little memory")
  func large() async throws {
    let log = try await GeneratedLog(rows: 100_000)
    let file = log.vault.folder.file("log.jsonl")
    try await log.vault.mustRun("audit", "export", "--format", "jsonl", "--whole", "--output", file)
    let script = """
      import resource, subprocess, sys
      done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
      print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
      print(done.stderr + done.stdout)
      """
    let result = try await Subprocess.run(
      try Programs.python, ["-c", script, try Programs.vault, "audit", "verify", "--partial", file],
      environment: log.vault.environment)
    let numbers = result.output.split(separator: "\n").first?.split(separator: " ").compactMap { Int($0) } ?? []
    #expect(numbers.first == 0 && numbers.last ?? .max < 32 * 1_024, "\(result.output)")
    #expect(result.output.contains("the file has no checkpoint"))
  }
}

/// Whether a row without the field says the same.
private func isNothing(_ value: Any) -> Bool { value is NSNull || (value as? [Any])?.isEmpty == true }

/// Whether JSON had `true` or `false` there; Foundation makes numbers of both.
private func isFlag(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
