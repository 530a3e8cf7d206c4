import Foundation
import TestSupport
import Testing

/// `vault audit reconcile` over events as CloudTrail writes them.
@Suite(.endToEnd) struct ReconcileTests {
  /// An event of a call that the vault logged.
  private func event(_ row: [String: Any], address: String = "203.0.113.7") -> [String: Any] {
    [
      "eventVersion": "1.08", "eventName": row["action"] ?? "", "eventSource": "sts.amazonaws.com",
      "eventTime": row["time"] ?? "",
      "requestID": row["requestId"] ?? "", "sourceIPAddress": address,
      "userIdentity": ["type": "IAMUser", "arn": STSWorld.aliceARN, "accessKeyId": STSWorld.aliceAccessKeyId],
      "requestParameters": ["roleArn": row["roleArn"] ?? "", "roleSessionName": row["roleSessionName"] ?? ""],
      "responseElements": ["credentials": ["accessKeyId": row["accessKeyId"] ?? ""]],
    ]
  }

  private func use(_ key: Any, from address: String, at time: Any) -> [String: Any] {
    [
      "eventName": "ListBuckets", "eventSource": "s3.amazonaws.com", "eventTime": time, "requestID": UUID().uuidString,
      "sourceIPAddress": address, "userIdentity": ["type": "AssumedRole", "accessKeyId": key],
    ]
  }

  private func write(_ events: [[String: Any]], to name: String, in vault: TestVault, lines: Bool = false) throws -> String {
    if lines {
      let texts = try events.map { String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self) }
      return vault.folder.write(texts.joined(separator: "\n") + "\n", to: name)
    }
    let data = try JSONSerialization.data(withJSONObject: ["Records": events])
    return vault.folder.write(String(decoding: data, as: UTF8.self), to: name)
  }

  @Test("calls that both know match; keys used outside the vault, calls that AWS did not see and uses from elsewhere are listed")
  func findings() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for profile in ["app-dev", "partner"] { try await vault.mustRun("exec", profile, "--", "true") }
    let rows = try await vault.rows("audit", "--action", "AssumeRole")
    #expect(rows.count == 2)
    let key = try #require(rows[0]["accessKeyId"])
    let time = try #require(rows[0]["time"])
    let known = rows.map { event($0) }
    let services = [use(key, from: "203.0.113.7", at: time), use(key, from: "cloudformation.amazonaws.com", at: time)]
    let stranger = [use("ASIASTRANGERSTRANGER", from: "192.0.2.1", at: time)]
    let clean = try write(known + services + stranger, to: "clean.json", in: vault)
    let agreed = try await vault.run("audit", "reconcile", clean)
    #expect(agreed.succeeded && agreed.errors.contains("2 calls match, 1 belong to others"), "\(agreed.output) \(agreed.errors)")
    let packed = try await Subprocess.run("/usr/bin/gzip", ["-k", clean], environment: [:], timeout: 20)
    #expect(packed.succeeded)
    #expect(try await vault.run("audit", "reconcile", clean + ".gz").succeeded)
    #expect(try await vault.run("audit", "reconcile", try write(known, to: "lines.jsonl", in: vault, lines: true)).succeeded)

    var outside = event(rows[0])
    outside["requestID"] = "another"
    outside["responseElements"] = ["credentials": ["accessKeyId": "ASIAOUTSIDEOUTSIDE12"]]
    let thief = use(key, from: "198.51.100.9", at: time)
    var late = use("ASIASTRANGERSTRANGER", from: "192.0.2.1", at: "2099-01-01T00:00:00Z")
    late["eventName"] = "\u{1B}[2J=cmd"
    let early = use("ASIASTRANGERSTRANGER", from: "192.0.2.1", at: "2020-01-01T00:00:00Z")
    let dirty = try write([known[0], outside, thief, late, early], to: "dirty.json", in: vault)
    let found = try await vault.run("audit", "reconcile", dirty)
    #expect(found.end == .exit(65))
    let lines = found.output.split(separator: "\n").map { String($0) }
    #expect(lines.contains { $0.contains("outside the vault") && $0.contains("another") })
    #expect(lines.contains { $0.contains("used elsewhere") && $0.contains("198.51.100.9") })
    #expect(lines.contains { $0.contains("not seen by AWS") && $0.contains(rows[1]["requestId"] as? String ?? "-") })
    #expect(lines.count <= 4 && !found.output.contains("\u{1B}"))
    let json = try await vault.run("audit", "reconcile", dirty, "--address", "198.51.100.9", "--format", "json")
    let object = try JSONSerialization.jsonObject(with: Data(json.outputBytes)) as? [String: Any]
    #expect((object?["elsewhere"] as? [Any])?.isEmpty == true && (object?["outside"] as? [Any])?.count == 1)
  }

  @Test("what a thief tries with a key of the vault's is listed, also where AWS refuses it; the vault's own second tries are not")
  func thieves() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let row = try #require(try await vault.rows("audit", "--action", "AssumeRole").first)
    var refused = event(row, address: "198.51.100.9")
    refused.merge(["requestID": "denied", "responseElements": NSNull(), "errorCode": "AccessDenied"]) { _, new in new }
    var again = refused
    again.merge(["requestID": "throttled", "sourceIPAddress": "203.0.113.7", "errorCode": "Throttling"]) { _, new in new }
    let listing = use(STSWorld.aliceAccessKeyId, from: "198.51.100.9", at: row["time"] ?? "")
    let own = use(STSWorld.aliceAccessKeyId, from: "203.0.113.7", at: row["time"] ?? "")
    let file = try write([event(row), refused, again, listing, own], to: "tries.json", in: vault)
    let found = try await vault.run("audit", "reconcile", file)
    let lines = found.output.split(separator: "\n")
    #expect(found.end == .exit(65) && lines.count == 2, "\(found.output)")
    #expect(
      lines.contains { $0.contains("outside the vault") && $0.contains("AssumeRole (AccessDenied)") && $0.contains("denied") })
    #expect(lines.contains { $0.contains("used elsewhere") && $0.contains("ListBuckets") })
    #expect(try await vault.run("audit", "reconcile", file, "--address", "198.51.100.9").succeeded)
  }

  @Test("what lookup-events prints is read, whose events are JSON within JSON; and so is its `--query` for them alone")
  func lookup() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    for profile in ["app-dev", "partner"] { try await vault.mustRun("exec", profile, "--", "true") }
    let rows = try await vault.rows("audit", "--action", "AssumeRole")
    var stranger = use("ASIASTRANGERSTRANGER", from: "192.0.2.1", at: rows[0]["time"] ?? "")
    // Text in which each layer has something to escape.
    stranger["userAgent"] = "aws-cli \"2\" \\ [x] {\"eventName\":\"AssumeRole\"},é"
    let inner = try (rows.map { event($0) } + [stranger]).map {
      String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self)
    }
    let outer: [[String: Any]] = inner.map {
      [
        "EventId": UUID().uuidString, "EventName": "AssumeRole", "ReadOnly": "true", "AccessKeyId": STSWorld.aliceAccessKeyId,
        "EventTime": "2026-11-23T14:03:00+01:00", "EventSource": "sts.amazonaws.com", "Username": "alice",
        "Resources": [["ResourceType": "AWS::IAM::Role", "ResourceName": STSWorld.devRole]], "CloudTrailEvent": $0,
      ]
    }
    for (name, object) in [("whole.json", ["Events": outer, "NextToken": "x"] as Any), ("query.json", inner as Any)] {
      let file = vault.folder.write(
        String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self), to: name)
      let agreed = try await vault.run("audit", "reconcile", file)
      #expect(agreed.succeeded && agreed.errors.contains("2 calls match, 1 belong to others"), "\(name): \(agreed.errors)")
    }
    // Of an event that is not whole nothing is believed.
    var broken = outer
    broken[1]["CloudTrailEvent"] = String(inner[1].dropLast(2))
    let file = vault.folder.write(
      String(decoding: try JSONSerialization.data(withJSONObject: ["Events": broken]), as: UTF8.self), to: "broken.json")
    #expect(try await vault.run("audit", "reconcile", file).end == .exit(65))
    let empty = vault.folder.write("{\"Events\": []}", to: "empty.json")
    #expect(try await vault.run("audit", "reconcile", empty).succeeded)
  }

  @Test("an event in two files is one, and calls whose rows were archived are the vault's while the file is there")
  func twiceAndArchived() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    try await vault.mustRun("exec", "app-dev", "--", "true")
    let rows = try await vault.rows("audit", "--action", "AssumeRole")
    var known = event(rows[0])
    known["eventID"] = "one"
    var outside = event(rows[0])
    outside.merge(["eventID": "two", "requestID": "another", "responseElements": NSNull()]) { _, new in new }
    let first = try write([known], to: "first.json", in: vault)
    let second = try write([known, outside], to: "second.json", in: vault)
    let found = try await vault.run("audit", "reconcile", first, second, second)
    #expect(found.end == .exit(65) && found.output.split(separator: "\n").count == 1, "\(found.output)")
    let agreed = try await vault.run("audit", "reconcile", first, first)
    #expect(agreed.succeeded && agreed.errors.contains("1 events: 1 calls"), "\(agreed.errors)")
    let archive = vault.folder.file("old.gz")
    try await vault.mustRun("audit", "archive", "--before", "0s", "--to", archive)
    let still = try await vault.run("audit", "reconcile", first)
    #expect(still.succeeded && still.errors.contains("1 calls match"), "\(still.output) \(still.errors)")
    unlink(archive)
    let gone = try await vault.run("audit", "reconcile", first)
    #expect(gone.end == .exit(65) && gone.errors.contains("old.gz, which is missing"), "\(gone.errors)")
  }

  @Test(
    "what is nothing of CloudTrail's is told so",
    arguments: [
      "", "{}", "[1, 2]", "not json\n{", "{\"Records\": [{\"eventName\": 1}]}", "{\"Records\": [\"x\"]}", "{\"Events\": [\"x\"]}",
    ])
  func garbage(text: String) async throws {
    let vault = TestVault()
    let file = vault.folder.write(text, to: "file")
    let result = try await vault.run("audit", "reconcile", file)
    #expect(result.end == .exit(65) && result.errors.contains("no CloudTrail events"), "\(result.end) \(result.errors)")
    #expect(try await vault.run("audit", "reconcile", "/nowhere").end == .exit(66))
  }
}
