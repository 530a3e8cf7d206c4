import VaultBytes
import VaultAudit
import VaultModel

/// The result of `vault audit verify` for an exported file.
enum ExportVerification {
  /// - Parameter isPart: missing and unsigned rows are reported, but are not an error.
  /// - Returns: one line: what is verified.
  /// - Throws: bad data, if a row is wrong, or more is missing than is permitted.
  static func text(of file: String, against verification: VerificationInput, isPart: Bool) throws -> String {
    let proof: ExportedLog.Proof
    switch try ExportedLog.verify(file, against: verification, isPart: isPart) {
    case .sound(let found): proof = found
    case .broken(.removed(let sequence)):
      throw Failure(
        "\(file) is not intact: \(ExportedLog.Fault.removed(sequence: sequence))",
        hint: "use `--partial` for an export with filters; `vault audit export --whole` exports every row", exitStatus: .badData)
    case .broken(let fault):
      throw Failure(
        "\(file) is not intact: \(fault)", hint: "compare it with the log, or with another copy", exitStatus: .badData)
    }
    guard proof.rows > 0 else {
      throw Failure("\(file) contains no rows", hint: "`vault audit export --format jsonl` exports some", exitStatus: .badData)
    }
    if proof.first > 1 { Diagnostics.notice("the file begins at row \(proof.first); earlier rows are not in it") }
    if let signer = proof.signer, verification.publicKey == nil {
      Diagnostics.notice("the file itself names the signer; compare it with `vault audit key`: \(hex(signer))")
    }
    let end = unsignedEnd(proof, verification)
    guard isPart || end == nil else {
      throw Failure(
        "\(file): \(end ?? "")",
        hint:
          "an export with `--whole`, while the agent runs, ends with a signed checkpoint; `--partial` accepts the file as it is",
        exitStatus: .badData)
    }
    if let end { Diagnostics.notice(end) }
    if proof.missing > 0 {
      let rows = proof.missing == 1 ? "1 row" : "\(proof.missing) rows"
      Diagnostics.notice(
        "\(rows) between row \(proof.first) and row \(proof.last) are missing: nothing is proven about them")
      return "\(file): \(counted(proof.rows)) unchanged"
    }
    return "\(file): verified: rows \(proof.first) to \(proof.last)" + (end == nil ? ", up to a signed checkpoint" : "")
  }

  private static func counted(_ rows: Int64) -> String { rows == 1 ? "the row is" : "the \(rows) rows are" }

  /// The unverified part at the file's end.
  private static func unsignedEnd(_ proof: ExportedLog.Proof, _ verification: VerificationInput) -> String? {
    guard proof.signedUpTo < proof.last else { return nil }
    if proof.signedUpTo == 0 {
      return "the file has no checkpoint: its rows follow from each other, but their author is not proven"
        + (proof.macs > 0 ? " except by the MACs of \(proof.macs) rows" : "")
        + "; rows after row \(proof.last) may have been cut off"
    }
    return
      "rows \(proof.signedUpTo + 1) to \(proof.last) are after the last checkpoint: later rows may have been cut off"
  }
}
