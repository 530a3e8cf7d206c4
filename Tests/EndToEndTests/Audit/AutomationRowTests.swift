import Foundation
import TestSupport
import Testing

/// What the log says of the processes above a requester, of runs of `exec --automation`, and of narrowed sessions.
@Suite(.endToEnd, .sharesFixtures) struct AutomationRowTests {
  private static func log() async throws -> GeneratedLog {
    try await .shared("runs") { try await GeneratedLog(rows: 4_000, runs: 0.2) }
  }

  private static let shown = "outcome <> 'intent' OR NOT EXISTS (SELECT 1 FROM audit_event o WHERE o.intent_id = a.id)"

  private static func run(of log: GeneratedLog) async throws -> String {
    let rows = try await log.query(
      "SELECT run FROM audit_event WHERE run IS NOT NULL GROUP BY run ORDER BY count(*) DESC, run LIMIT 1")
    return try #require(rows.first?["run"] as? String)
  }

  @Test("--program, --pid, --automation and --run find the rows that SQL finds, and the figures are of those alone")
  func filters() async throws {
    let log = try await GeneratedLog(rows: 4_000, runs: 0.2)
    let run = try await Self.run(of: log)
    let pid = try #require(try await log.query("SELECT pid FROM audit_event WHERE sequence = 1500").first?["pid"] as? Int)
    try await log.change(
      "UPDATE audit_event SET program = '/opt/tools/terraform' WHERE program = 'terraform' AND sequence % 2 = 0")
    for (words, condition) in [
      (["--automation", "claude"], "automation = 'claude'"), (["--run", run], "run = '\(run)'"),
      (["--pid", String(pid)], "pid = \(pid)"), (["--program", "/opt/tools/terraform"], "program = '/opt/tools/terraform'"),
      (["--program", "terraform"], "program IN ('terraform', '/opt/tools/terraform')"), (["--program", "form"], "0"),
      (
        ["--automation", "claude", "--program", "aws", "--profile", "app-dev"],
        "automation = 'claude' AND program = 'aws' AND profile = 'app-dev'"
      ),
    ] {
      let wanted =
        condition == "0"
        ? [] : try await log.query("SELECT id FROM audit_event a WHERE (\(condition)) AND (\(Self.shown)) ORDER BY sequence")
      #expect(wanted.isEmpty == (condition == "0"), "\(words)")
      let found = try await log.vault.run(words: ["audit", "--format", "jsonl"] + words).output.split(separator: "\n")
      let ids = try found.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }.map {
        $0?["id"] as? String
      }
      #expect(ids == wanted.map { $0["id"] as? String }, "\(words)")
      let counted = try await log.query("SELECT count(*) AS n FROM audit_event WHERE (\(condition)) AND outcome <> 'intent'")
      let result = try await log.vault.run(words: ["audit", "stats", "--format", "json"] + words)
      let stats = try #require(try JSONSerialization.jsonObject(with: Data(result.outputBytes)) as? [String: Any])
      #expect(stats["rows"] as? Int == counted[0]["n"] as? Int, "\(words)")
      let sessions = try await log.query(
        "SELECT count(*) AS n FROM session WHERE id IN (SELECT session_id FROM audit_event WHERE \(condition))")
      if words.count == 2, condition != "0" {
        let page = try await ReportPage(log.vault, words[0], words[1]).html
        #expect(page.contains("<dd data-sum=\"sessions\">\(sessions[0]["n"] as? Int ?? -1)</dd>"), "\(words)")
      }
    }
    let strange = try await log.vault.run("audit", "--pid", "x")
    #expect(strange.end == .exit(64) && strange.errors.contains("not the number of a process"))
    let whole = try await log.vault.run("audit", "export", "--format", "jsonl", "--whole", "--run", run)
    #expect(whole.end == .exit(64))
  }

  @Test("a row in JSON has the parents, the run and the scope in the shape of the contract, and each run is in the figures")
  func shape() async throws {
    let log = try await Self.log()
    let run = try await Self.run(of: log)
    let lines = try await log.objects("--format", "jsonl", "--run", run, "--action", "Deliver")
    let rows = try await log.query(
      "SELECT automation, root_pid FROM audit_event WHERE run = '\(run)' AND action = 'Deliver' ORDER BY sequence")
    #expect(lines.count == rows.count && lines.count > 3)
    for (line, row) in zip(lines, rows) {
      let requester = try #require(line["requester"] as? [String: Any])
      let automation = try #require(requester["automation"] as? [String: Any])
      #expect(automation["name"] as? String == row["automation"] as? String && automation["run"] as? String == run)
      #expect(automation["rootPid"] as? Int == row["root_pid"] as? Int && requester["proven"] as? Bool == true)
      let parents = try #require(requester["parents"] as? [[String: Any]])
      #expect(parents.map { $0["executable"] as? String }.prefix(2) == ["/usr/bin/bash", "/usr/bin/node"])
      #expect(parents.last?["pid"] as? Int == 1)
      let scope = try #require(line["scope"] as? [String: Any])
      #expect(
        scope["readOnly"] as? Bool == true && scope["policyDigest"] is NSNull && (scope["tags"] as? [String: String]) == [:])
    }
    let outside = try #require(
      try await log.objects("--format", "jsonl").first { ($0["requester"] as? [String: Any])?["automation"] is NSNull })
    #expect(outside["scope"] is NSNull)
    let stats = try #require(try await log.vault.json("audit", "stats") as? [String: Any])
    let counted = try await log.query(
      "SELECT run, automation AS name, sum(action = 'Deliver') AS deliveries FROM audit_event WHERE outcome <> 'intent' AND run IS NOT NULL GROUP BY 1"
    )
    let told = try #require(stats["automation"] as? [[String: Any]])
    func text(_ row: [String: Any]) -> String { "\(row["run"] ?? "") \(row["name"] ?? "") \(row["deliveries"] ?? "")" }
    #expect(Set(told.map(text)) == Set(counted.map(text)) && told.count > 1)
    let csv = try await log.vault.mustRun("audit", "export", "--format", "csv", "--run", run)
    #expect(
      csv.split(separator: "\n")[0].hasSuffix(",hash,parents,automation,run,rootPid,scope,hint") && csv.contains(",\(run),"))
    let cef = try #require(CEFEvent(try await log.export("--format", "cef", "--run", run, "--action", "Deliver")[0]))
    #expect(cef.fields["vaultRun"] == run && cef.fields["vaultParents"]?.contains("/usr/bin/node") == true)
    let ocsf = try await log.objects("--format", "ocsf", "--run", run, "--action", "Deliver")[0]
    #expect(try OCSFSchema().faults(of: ocsf) == [])
    var process = (ocsf["actor"] as? [String: Any])?["process"] as? [String: Any]
    var names: [String] = []
    while let parent = process?["parent_process"] as? [String: Any] {
      names.append(parent["name"] as? String ?? "")
      process = parent
    }
    #expect(names.count == 7 && names[1] == "/usr/bin/node" && (ocsf["unmapped"] as? [String: Any])?["run"] as? String == run)
  }

  @Test("an export with parents, runs and scopes proves itself after another program wrote it, and each change to them is found")
  func proof() async throws {
    let log = try await Self.log()
    let lines = try await log.export("--format", "jsonl", "--whole")
    func verify(_ lines: [String]) async throws -> Subprocess.Result {
      let file = log.vault.folder.write(lines.map { $0 + "\n" }.joined(), to: "\(UUID().uuidString).jsonl")
      return try await log.vault.run("audit", "verify", "--partial", file)
    }
    let rewritten = try await Subprocess.run(
      try Programs.python,
      ["-c", "import json, sys\nfor line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))"], environment: [:],
      input: lines.map { $0 + "\n" }.joined())
    let other = rewritten.output.split(separator: "\n").map(String.init)
    #expect(other.count == lines.count && other[0] != lines[0])
    for form in [lines, other] {
      let whole = try await verify(form)
      #expect(whole.succeeded && whole.output.contains("verified: rows 1 to \(lines.count)"), "\(whole.errors)")
    }
    let place = try #require(lines.firstIndex { $0.contains("\"run\":\"run_") && $0.contains("\"readOnly\":true") })
    let automation = try #require(lines[place].firstRange(of: /"automation":\{[^}]*\}/).map { String(lines[place][$0]) })
    for (old, new) in [
      ("/usr/bin/node", "/usr/bin/nodf"), ("\"readOnly\":true", "\"readOnly\":false"), ("\"run\":\"run_", "\"run\":\"run_0"),
      ("\"tags\":{}", "\"tags\":{\"a\":\"b\"}"), (automation, "\"automation\":null"),
      // A reader that takes the last of two would see another.
      (automation, "\(automation),\"automation\":null"), ("},\"sessionId\"", "},\"requester\":{},\"sessionId\""),
      ("\"readOnly\":true", "\"readOnly\":true,\"readOnly\":false"), ("\"policyDigest\":null", "\"policyDigest\":1.5"),
    ] {
      var changed = lines
      changed[place] = lines[place].replacing(old, with: new)
      #expect(changed[place] != lines[place], "\(old)")
      let result = try await verify(changed)
      #expect(
        result.end == .exit(65) && result.errors.contains("not intact"), "\(old) → \(new): \(result.output) \(result.errors)")
    }
    // A row of an earlier form, whose hash does not bind them, has none.
    let former = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/form-2/export.jsonl")
    let text = try String(contentsOf: former, encoding: .utf8)
    let added = log.vault.folder.write(
      text.replacing("\"parent\":", with: "\"parents\":[{\"executable\":\"/x\",\"pid\":1}],\"parent\":", maxReplacements: 1),
      to: "added.jsonl")
    let refused = try await log.vault.run("audit", "verify", added)
    #expect(refused.end == .exit(65) && refused.errors.contains("rows of its form do not have"), "\(refused.errors)")
    let nothing = log.vault.folder.write(
      text.replacing("\"parent\":", with: "\"parents\":[],\"automation\":null,\"parent\":"), to: "nothing.jsonl")
    #expect(try await log.vault.run("audit", "verify", nothing).succeeded)
  }

  @Test("what a program says of itself is no run in any export, is proven like the rest, and is on the page and on the server")
  func hint() async throws {
    let log = try await GeneratedLog(rows: 1_000, laptop: 1, runs: 0.2)
    let hinted = try await log.query(
      "SELECT sequence, profile FROM audit_event WHERE run IS NULL AND automation = 'CLAUDECODE' AND action = 'Deliver' ORDER BY 1"
    )
    let sequence = try #require(hinted.first?["sequence"] as? Int)
    let profile = try #require(hinted.first?["profile"] as? String)
    let ofProfile = hinted.count { $0["profile"] as? String == profile }
    let lines = try await log.export("--format", "jsonl", "--whole")
    let place = sequence - 1
    #expect(lines[place].contains("\"automation\":null,\"hint\":\"CLAUDECODE\"}"), "\(lines[place])")
    func verify(_ line: String) async throws -> Subprocess.Result {
      var changed = lines
      changed[place] = line
      let file = log.vault.folder.write(changed.map { $0 + "\n" }.joined(), to: "\(UUID().uuidString).jsonl")
      return try await log.vault.run("audit", "verify", "--partial", file)
    }
    let whole = try await verify(lines[place])
    #expect(whole.succeeded, "\(whole.errors)")
    let hint = "\"automation\":null,\"hint\":\"CLAUDECODE\""
    for other in [
      "\"automation\":null", "\"automation\":null,\"hint\":\"GEMINI_CLI\"", "\"automation\":null,\"hint\":null",
      "\"automation\":{\"name\":\"CLAUDECODE\",\"run\":null,\"rootPid\":null}", "\(hint),\"hint\":\"CLAUDECODE\"",
      "\"automation\":{\"name\":\"CLAUDECODE\"},\"hint\":\"CLAUDECODE\"",
      "\"automation\":{\"run\":\"run_1\"},\"hint\":\"CLAUDECODE\"",
    ] {
      let result = try await verify(lines[place].replacing(hint, with: other))
      #expect(result.end == .exit(65) && result.errors.contains("not intact"), "\(other): \(result.output)")
    }
    let words = ["--profile", profile, "--action", "Deliver"]
    let csv = try await log.vault.run(words: ["audit", "export", "--format", "csv"] + words).output.split(separator: "\n")
    #expect(csv.count { $0.hasSuffix(",,,,,CLAUDECODE") } == ofProfile, "\(csv)")
    let cef = try await log.vault.run(words: ["audit", "export", "--format", "cef"] + words).output.split(separator: "\n")
      .compactMap { CEFEvent(String($0)) }
    #expect(cef.compactMap { $0.fields["vaultHint"] } == Array(repeating: "CLAUDECODE", count: ofProfile))
    #expect(cef.allSatisfy { $0.fields["vaultAutomation"] != "CLAUDECODE" })
    let ocsf = try await log.objects("--format", "ocsf", "--profile", profile, "--action", "Deliver")
    let unmapped = ocsf.compactMap { $0["unmapped"] as? [String: Any] }.filter { $0["hint"] as? String == "CLAUDECODE" }
    #expect(unmapped.count == ofProfile && unmapped.allSatisfy { $0["automation"] == nil })
    let page = try await ReportPage(log.vault)
    let reading = try await page.read()
    #expect(reading.faults == [])
    let texts = reading.texts
    let start = try #require(texts.firstIndex(of: "Agents outside of a run"))
    #expect(texts[start...].contains("CLAUDECODE") && texts[start...].contains(profile), "\(texts[start...])")

    let server = try await TeamServer(laptops: 1)
    #expect(try await server.ship(log.vault, laptop: 1).succeeded)
    #expect(try await server.verify().succeeded)
    let reader = TestVault()
    let there = try await reader.run(words: ["audit", "export", "--format", "csv", "--from", server.address] + words)
    #expect(
      there.output.split(separator: "\n").count { $0.contains(",,,,,CLAUDECODE,vlt_laptop-1,") } == ofProfile, "\(there.output)")
    let automation = try await reader.mustRun("audit", "--from", server.address, "--automation", "CLAUDECODE")
    #expect(automation.isEmpty)
  }

  @Test("the page has a section for each run: what it was given, refused, and revoked, and what CloudTrail saw its keys do")
  func section() async throws {
    let log = try await GeneratedLog(rows: 2_000, runs: 0.1)
    let run = try await Self.run(of: log)
    let key = try #require(
      try await log.query(
        """
        SELECT access_key_id, session_id FROM audit_event WHERE run = '\(run)' AND action = 'Deliver' GROUP BY 1, 2 \
        ORDER BY count(*) DESC LIMIT 1
        """
      )
      .first)
    let id = try #require(key["access_key_id"] as? String)
    let session = try #require(key["session_id"] as? String)
    // What the agent writes around a run, in rows of others.
    try await log.change(
      """
      UPDATE audit_event SET action = 'AutomationStarted', outcome = 'success', scope = '{"readOnly":true}' WHERE sequence = \
      (SELECT min(sequence) FROM audit_event WHERE run = '\(run)'); \
      UPDATE audit_event SET action = 'AutomationEnded', outcome = 'success' WHERE sequence = \
      (SELECT max(sequence) FROM audit_event WHERE run = '\(run)'); \
      UPDATE audit_event SET action = 'GuardRefused', outcome = 'refused', error = 'outside of its hours' WHERE sequence = \
      (SELECT sequence FROM audit_event WHERE run = '\(run)' AND action = 'Deliver' AND session_id <> '\(session)' ORDER BY 1 LIMIT 1); \
      UPDATE audit_event SET action = 'Revoked', outcome = 'success', user = 'zoe', session_id = '\(session)', detail = 'automation x' \
      WHERE sequence = (SELECT sequence FROM audit_event WHERE run IS NULL AND outcome = 'success' ORDER BY 1 DESC LIMIT 1)
      """)
    let calls = [
      ("1", "GetObject", id), ("2", "GetObject", id), ("2", "GetObject", id), ("3", "DeleteBucket", id),
      ("4", "GetObject", "ASIAOTHER"), ("5", "AssumeRole", id),
    ]
    let events = calls.map { event, name, key in
      """
      {"eventID":"\(event)","eventName":"\(name)","eventSource":"s3.amazonaws.com","eventTime":"2026-11-10T00:00:00Z",\
      "userIdentity":{"accessKeyId":"\(key)"}\(name == "AssumeRole" ? ",\"responseElements\":{\"credentials\":{\"accessKeyId\":\"ASIAFURTHER\"}}" : "")\(name == "DeleteBucket" ? ",\"errorCode\":\"AccessDenied\"" : "")}
      """
    }
    let trail = log.vault.folder.write("{\"Records\":[\(events.joined(separator: ","))]}", to: "trail.json")
    let page = try await ReportPage(log.vault, "--run", run, "--cloudtrail", trail)
    let reading = try await page.read()
    #expect(reading.faults == [])
    let start = try #require(reading.texts.firstIndex { $0.contains(run) && !$0.contains("--run") })
    let texts = Array(reading.texts[start...])
    for text in [
      "Began", "Ended", "outside of its hours", "s3.amazonaws.com GetObject", "s3.amazonaws.com DeleteBucket", "Revoked",
    ] {
      #expect(texts.contains { $0.contains(text) }, "\(text): \(texts)")
    }
    #expect(texts.contains { $0.contains("by zoe") } && texts.contains { $0.contains(id) })
    #expect(texts.contains { $0.hasSuffix("whose calls are not counted here: ASIAFURTHER.") }, "\(texts)")
    let object = try #require(texts.firstIndex(of: "s3.amazonaws.com GetObject"))
    #expect(Array(texts[object...].dropFirst().prefix(2)) == ["2", "0"])
    let bucket = try #require(texts.firstIndex(of: "s3.amazonaws.com DeleteBucket"))
    #expect(Array(texts[bucket...].dropFirst().prefix(2)) == ["1", "1"])
    let given = try await log.query(
      """
      SELECT count(*) AS n FROM audit_event WHERE run = '\(run)' AND outcome <> 'intent' AND (action = 'Deliver' OR outcome <> 'success')
      """)
    let asked = try #require(texts.firstIndex(of: "Asked"))
    #expect(texts[asked + 1] == "\(given[0]["n"] as? Int ?? 0)×", "\(texts[asked...])")
    // Every run has its section, and a page without a trail none of what CloudTrail saw.
    let all = try await ReportPage(log.vault)
    let runs = try await log.query("SELECT DISTINCT run FROM audit_event WHERE run IS NOT NULL")
    #expect(runs.count > 1 && runs.allSatisfy { all.html.contains($0["run"] as? String ?? "?") })
    #expect(try await all.read().faults == [] && !all.html.contains("CloudTrail saw"))
    let missing = try await log.vault.run(
      "audit", "report", "--html", log.vault.folder.file("x.html"), "--cloudtrail", "/nowhere")
    #expect(missing.end == .exit(66))
  }

  @Test(
    "of many runs the newest are shown, with a table that leads to each, whatever they are called; without one the page says so")
  func many() async throws {
    let log = try await GeneratedLog(rows: 1_500)
    try await log.change(
      """
      UPDATE audit_event SET run = printf('run_%016d', sequence), root_pid = 9, automation = CASE sequence % 3 \
      WHEN 0 THEN '</h2><script>alert(1)</script>' WHEN 1 THEN char(8238) || '"&' || char(10) ELSE hex(zeroblob(1500)) END, \
      scope = '{"policyArns":["arn:aws:iam::aws:policy/X"],"policyDigest":"d1","readOnly":true,"tags":{"a":"<i>","b":""}}' \
      WHERE sequence > 800 AND action = 'Deliver'
      """)
    let count = try #require(
      try await log.query("SELECT count(*) AS n FROM audit_event WHERE run IS NOT NULL").first?["n"] as? Int)
    #expect(count > 200 && count < 400)
    let page = try await ReportPage(log.vault)
    let reading = try await page.read()
    #expect(reading.faults == [])
    #expect(page.html.components(separatedBy: "<section class=\"run\"").count == 201)
    #expect(page.html.contains("The newest 200 runs") && page.html.contains("<a href=\"#run-200\">"))
    #expect(reading.texts.contains("read-only; an inline policy (d1); the policy arn:aws:iam::aws:policy/X; the tags a=<i>, b="))
    #expect(reading.texts.contains { $0.contains("no row says so; last seen") })
    let none = try await ReportPage(log.vault, "--automation", "nobody")
    let start = try #require(none.html.range(of: "Automation runs"))
    #expect(none.html[start.upperBound...].contains(">None.<"))
    #expect(try await ReportPage(log.vault, "--until", "2000-01-01T00:00:00Z").html.contains("Automation runs") == false)
  }

  @Test("the report's memory does not grow with the rows of runs")
  func memory() async throws {
    let script = """
      import resource, subprocess, sys
      done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
      print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
      """
    var peaks: [Int] = []
    for rows in [10_000, 80_000] {
      let log = try await GeneratedLog(rows: rows, runs: 0.9)
      let result = try await Subprocess.run(
        try Programs.python,
        ["-c", script, try Programs.vault, "audit", "report", "--html", log.vault.folder.file("page.html")],
        environment: log.vault.environment, timeout: 300)
      let numbers = result.output.split(separator: " ").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      #expect(numbers.first == 0, "\(result.output) \(result.errors)")
      // The file is mapped into memory.
      let size = try FileManager.default.attributesOfItem(atPath: log.vault.database)[.size] as? Int
      peaks.append((numbers.last ?? 0) - (size ?? 0) / 1_024)
    }
    #expect(peaks[1] < peaks[0] + 8_192, "\(peaks) kB")
  }

  @Test(
    "a team's server says which rows are of which run; one of an earlier version takes all others until its tables are updated")
  func team() async throws {
    let server = try await TeamServer(laptops: 2)
    let log = try await GeneratedLog(rows: 600, laptop: 1, runs: 0.2)
    let plain = try await GeneratedLog(rows: 300, laptop: 2)
    let run = try await Self.run(of: log)
    // As the version before made them.
    try await server.postgres.sql("ALTER TABLE vault_audit.audit_event DROP COLUMN automation CASCADE, DROP COLUMN run CASCADE")
    let other = try await server.ship(plain.vault, laptop: 2)
    #expect(other.succeeded && other.output.hasPrefix("300 rows shipped"), "\(other.errors)")
    let waits = try await server.ship(log.vault, laptop: 1)
    #expect(
      waits.end == .exit(78) && waits.errors.contains("earlier version") && waits.errors.contains("--print-schema"),
      "\(waits.errors)")
    let reader = TestVault()
    let unknown = try await reader.run("audit", "--from", server.address, "--run", run)
    #expect(unknown.end == .exit(78) && unknown.errors.contains("no column for automation runs"), "\(unknown.errors)")
    #expect(try await reader.json("audit", "--from", server.address, "--program", "aws") as? [Any] != nil)
    let pid = try await reader.run("audit", "--from", server.address, "--pid", "1")
    #expect(pid.end == .exit(64) && pid.errors.contains("has no column for it"), "\(pid.errors)")

    let schema = try await Subprocess.run(try Programs.vault, ["audit", "ship", "--print-schema"], environment: ["HOME": "/"])
    try await server.postgres.sql("BEGIN;\n\(schema.output)\nCOMMIT;")
    let shipped = try await server.ship(log.vault, laptop: 1)
    #expect(shipped.succeeded && shipped.output.hasPrefix("600 rows shipped"), "\(shipped.errors)")
    let verified = try await server.verify()
    #expect(
      verified.succeeded && verified.output.contains("300 rows intact") && verified.output.contains("600 rows intact"),
      "\(verified.output)")
    let name = try #require(
      try await log.query("SELECT automation FROM audit_event WHERE run = '\(run)' LIMIT 1").first?["automation"] as? String)
    for words in [["--run", run], ["--automation", name], ["--program", "aws"]] {
      let local = try await log.vault.run(words: ["audit", "export", "--format", "csv"] + words).output.split(separator: "\n")
        .dropFirst()
      let there = try await reader.run(
        words: ["audit", "export", "--format", "csv", "--from", server.address, "--vault", "vlt_laptop-1"] + words
      ).output.split(separator: "\n").dropFirst()
      #expect(local.count == there.count && !there.isEmpty, "\(words)")
    }
    let page = reader.folder.file("page.html")
    #expect(try await reader.run("audit", "report", "--html", page, "--from", server.address).succeeded)
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<small>\(run)</small>"))
    // What the column says is what the row says.
    try await server.tamper("UPDATE vault_audit.audit_event SET run = NULL WHERE run = '\(run)'")
    #expect(try await server.verify().errors.contains("failed verification"))
  }
}
