import Foundation
import TestSupport
import Testing

/// Each core verifies a range of the log's rows.
@Suite(.endToEnd) struct RangeTests {
  private static let rows = 25_000
  /// The last row of the first range of two.
  private static let end = rows / 2

  /// Verifies a log with one core, and with two.
  private static func verdicts(_ log: GeneratedLog, _ words: [String] = []) async throws -> [String] {
    var verdicts: [String] = []
    for cores in ["0", "0,1"] {
      let result = try await Subprocess.run(
        "/usr/bin/taskset", ["-c", cores, try Programs.vault, "audit", "verify", "--offline"] + words,
        environment: log.vault.environment, timeout: 120)
      verdicts.append("\(result.end) \(result.output)\(result.errors)")
    }
    return verdicts
  }

  @Test("with two cores a whole log is whole, and the first fault is the one that one core finds, wherever it is")
  func verdicts() async throws {
    let log = try await GeneratedLog(rows: Self.rows, laptop: 1)
    let key = ["--key", log.vault.folder.file("vault/auditor.key")]
    let whole = try await Self.verdicts(log, key)
    #expect(whole[0] == whole[1] && whole[0].contains("\(Self.rows) rows, chain intact"), "\(whole)")
    let copy = log.vault.folder.file("whole.db")
    try FileManager.default.copyItem(atPath: log.vault.database, toPath: copy)
    let update = "UPDATE audit_event SET"
    for sequence in [1, 6_000, Self.end, Self.end + 1, Self.end + 2, Self.rows] {
      for (change, fault) in [
        ("\(update) host = host || '!' WHERE sequence = \(sequence)", "row \(sequence) was changed"),
        (
          "DELETE FROM audit_event WHERE sequence = \(sequence)",
          sequence == Self.rows ? "cut off" : "row \(sequence) was removed"
        ),
        ("\(update) previous_hash = zeroblob(32) WHERE sequence = \(sequence)", "row \(sequence) was changed"),
        ("\(update) mac = zeroblob(32) WHERE sequence = \(sequence)", "row \(sequence) was not written by the vault"),
        (
          // Only the first rows and the last ones may be without.
          "\(update) mac = NULL WHERE sequence = \(sequence)",
          [1, Self.rows].contains(sequence) ? "chain intact" : "row \(sequence) was not written"
        ),
      ] {
        try await log.change(change)
        let broken = try await Self.verdicts(log, key)
        #expect(broken[0] == broken[1] && broken[0].contains(fault), "\(change): \(broken)")
        try FileManager.default.removeItem(atPath: log.vault.database)
        try FileManager.default.copyItem(atPath: copy, toPath: log.vault.database)
      }
    }
  }
}
