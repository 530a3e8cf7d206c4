import Foundation
import TestSupport
import Testing

/// `vault audit export`, by the real program over logs of believable and of hostile life.
@Suite(.endToEnd, .sharesFixtures) struct ExportTests {
  @Test("an export is what `vault audit` prints, byte for byte", arguments: ["jsonl", "csv"], [false, true])
  func same(format: String, hostile: Bool) async throws {
    let log = try await GeneratedLog.shared(rows: 3_000, hostile: hostile)
    for filters in [
      [], ["--limit", "7"], ["--limit", "7", "--reverse"], ["--action", "AssumeRole", "--outcome", "intent"], ["--user", "bob"],
    ] {
      let report = try await log.vault.run(words: ["audit", "--format", format] + filters)
      let export = try await log.vault.run(words: ["audit", "export", "--format", format] + filters)
      #expect(report.succeeded && export.succeeded && report.outputBytes == export.outputBytes, "\(filters)")
    }
  }

  /// The rows that an export shows: an intent only where no outcome followed.
  private static let shown = """
    FROM audit_event a WHERE outcome <> 'intent' OR NOT EXISTS (SELECT 1 FROM audit_event o WHERE o.intent_id = a.id) ORDER BY sequence
    """

  @Test("no output holds an unsafe character, whichever column of the log does")
  func unsafe() async throws {
    let log = try await GeneratedLog(rows: 30)
    // The limit of arguments is 127.
    let text = UnsafeCharacters.all.map { "char(\($0.value))" }.sorted().joined(separator: " || ")
    let columns = [
      "profile", "role_arn", "role_session_name", "source_identity", "endpoint", "reason", "user", "program", "directory", "host",
      "executable", "parent", "error", "detail", "request_id",
    ]
    try await log.change("UPDATE audit_event SET " + columns.map { "\($0) = \(text)" }.joined(separator: ", "))
    for words in [
      ["audit"], ["audit", "--format", "json"], ["audit", "--format", "jsonl"], ["audit", "--format", "csv"], ["audit", "stats"],
      ["audit", "stats", "--format", "json"], ["audit", "export", "--format", "jsonl"], ["audit", "export", "--format", "csv"],
      ["audit", "export", "--format", "ocsf"], ["audit", "export", "--format", "cef"],
    ] {
      let result = try await log.vault.run(words: words)
      // Cells of a table in a pipe are parted by tabs.
      let output = words.contains("--format") ? result.output : result.output.replacing("\t", with: " ")
      #expect(result.succeeded && output.contains("200b"), "\(words) \(result.errors)")
      #expect(UnsafeCharacters.areMissing(in: output + result.errors), "\(words)")
    }
    let page = try await ReportPage(log.vault).html
    #expect(page.contains("200b") && UnsafeCharacters.areMissing(in: page))
  }

  @Test("hostile text in every column reads back from JSON as it stands in the database")
  func hostileJSON() async throws {
    let log = try await GeneratedLog.shared(rows: 300, hostile: true)
    let rows = try await log.query("SELECT id, program, profile, role_arn, directory, reason, error, detail, host \(Self.shown)")
    let lines = try await log.export("--format", "jsonl")
    let objects = try await log.objects("--format", "jsonl")
    #expect(lines.count == rows.count && objects.count == rows.count)
    #expect(lines.allSatisfy { UnsafeCharacters.areMissing(in: $0) })
    for (object, row) in zip(objects, rows) {
      let requester = try #require(object["requester"] as? [String: Any])
      for (name, column) in [("program", "program"), ("directory", "directory"), ("host", "host")] {
        #expect(requester[name] as? String == row[column] as? String)
      }
      for (name, column) in [
        ("id", "id"), ("profile", "profile"), ("roleArn", "role_arn"), ("error", "error"), ("detail", "detail"),
      ] {
        #expect(object[name] as? String == row[column] as? String)
      }
    }
  }

  @Test("hostile text is a cell of CSV that no spreadsheet runs, by a parser that is not ours")
  func hostileCSV() async throws {
    let log = try await GeneratedLog.shared(rows: 300, hostile: true)
    let count = try await log.query("SELECT id \(Self.shown)").count
    let text = try await log.vault.mustRun("audit", "export", "--format", "csv")
    #expect(UnsafeCharacters.areMissing(in: text))
    let read = """
      import csv, json, sys
      json.dump(list(csv.reader(sys.stdin, strict=True)), sys.stdout)
      """
    let parsed = try await Subprocess.run(
      try Programs.python, ["-c", read], environment: ["PYTHONIOENCODING": "utf-8"], input: text)
    let cells = try #require(try JSONSerialization.jsonObject(with: Data(parsed.outputBytes)) as? [[String]])
    #expect(cells.count == count + 1)
    #expect(cells.allSatisfy { $0.count == cells[0].count })
    #expect(cells.allSatisfy { $0.allSatisfy { $0.first.map { !"=+-@\t\r".contains($0) } ?? true } })
    #expect(cells.contains { $0.contains("'=cmd|' /C calc'!A0") })
  }

  @Test("hostile text is a value of CEF that forges no field and no event")
  func hostileCEF() async throws {
    let log = try await GeneratedLog.shared(rows: 300, hostile: true)
    let rows = try await log.query("SELECT id, user, host, detail, sequence \(Self.shown)")
    let lines = try await log.export("--format", "cef")
    #expect(lines.count == rows.count && lines.allSatisfy { UnsafeCharacters.areMissing(in: $0) })
    for (line, row) in zip(lines, rows) {
      let event = try #require(CEFEvent(line))
      #expect(event.header.count == 7 && event.header[0] == "CEF:0" && event.header[1] == "vault")
      #expect(event.fields["externalId"] == row["id"] as? String)
      #expect(event.fields["cn1"] == String(try #require(row["sequence"] as? Int)))
      // What a terminal could be tricked with stays escaped; all else reads back.
      for (name, column) in [("suser", "user"), ("shost", "host"), ("msg", "detail")] {
        let text = try #require(row[column] as? String)
        if UnsafeCharacters.areMissing(in: text.replacingOccurrences(of: "\n", with: "")),
          !text.unicodeScalars.contains("\u{E0041}")
        {
          #expect(event.fields[name] ?? "" == text)
        }
      }
    }
  }

  @Test("every OCSF event has what its class requires, in the pinned version", arguments: [false, true])
  func ocsf(hostile: Bool) async throws {
    let schema = try OCSFSchema()
    let log = try await GeneratedLog.shared(rows: 3_000, hostile: hostile)
    let count = try await log.query("SELECT id \(Self.shown)").count
    let events = try await log.objects("--format", "ocsf")
    #expect(events.count == count)
    for event in events { #expect(schema.faults(of: event) == []) }
    let classes = Set(events.compactMap { $0["class_uid"] as? Int })
    #expect(classes == [6_003, 3_002])
    let failed = try #require(events.first { ($0["status_id"] as? Int) == 2 })
    #expect(failed["status_detail"] != nil && (failed["severity_id"] as? Int ?? 0) > 1)
    #expect(try await log.export("--format", "ocsf").allSatisfy { UnsafeCharacters.areMissing(in: $0) })
  }

  @Test("a file is written whole, for its owner alone, in the place of the old one")
  func file() async throws {
    let log = try await GeneratedLog.shared(rows: 3_000)
    let folder = TemporaryDirectory()
    let file = folder.write("old", to: "log.jsonl", mode: 0o644)
    try await log.vault.mustRun("audit", "export", "--format", "jsonl", "--output", file)
    #expect(
      try String(contentsOfFile: file, encoding: .utf8) == (try await log.vault.mustRun("audit", "export", "--format", "jsonl")))
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try await log.vault.run("audit", "export", "--format", "jsonl", "--output", "/dev/full").end == .exit(73))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.contains(".vault-") })
    let full = try await Subprocess.run(
      "/bin/sh", ["-c", "exec \(try Programs.vault) audit export --format jsonl > /dev/full"], environment: log.vault.environment)
    #expect(full.end == .exit(74) && full.errors.contains("No space left"))
  }

  @Test("times that no clock shows, in a file that somebody wrote to, stop no report", arguments: [Int64.min, Int64.max])
  func hostileTimes(time: Int64) async throws {
    let log = try await GeneratedLog(rows: 100)
    let copied = "SELECT sequence + 1, 'evt_hostile', \(time), action, 'success', trigger, \(time), \(time), mfa, user, uid, pid"
    let columns = "sequence, id, time, action, outcome, trigger, issued_at, expires_at, mfa, user, uid, pid"
    let rest = "program, executable, directory, parent, host, previous_hash, hash"
    try await log.change(
      """
      INSERT INTO audit_event (\(columns), \(rest)) \(copied), \(rest) FROM audit_event ORDER BY sequence DESC LIMIT 1;
      UPDATE session SET last_used_at = \(time), issued_at = \(time == .min ? time : time - 1), expires_at = \(time == .min ? time + 1 : time)
      WHERE id = (SELECT max(id) FROM session)
      """)
    for format in ["jsonl", "csv", "ocsf", "cef"] {
      #expect(try await log.export("--format", format).contains { $0.contains("evt_hostile") })
    }
    #expect(try await log.vault.run("audit", "stats").succeeded)
    #expect(try await ReportPage(log.vault).read().faults == [])
  }

  @Test("a format that is none, or is missing, is a usage error that names them")
  func formats() async throws {
    let vault = TestVault()
    for words in [["audit", "export"], ["audit", "export", "--format", "xml"]] {
      let result = try await vault.run(words: words)
      #expect(result.end == .exit(64) && result.errors.contains("jsonl, csv, ocsf or cef"))
    }
  }
}
