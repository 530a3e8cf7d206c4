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
        "\(file) is not whole: \(ExportedLog.Fault.removed(sequence: sequence))",
        hint: "`--partial` for an export with filters; `vault audit export --whole` leaves nothing out", exitStatus: .badData)
    case .broken(let fault):
      throw Failure("\(file) is not whole: \(fault)", hint: "compare it with the log, or with another copy", exitStatus: .badData)
    }
    guard proof.rows > 0 else {
      throw Failure("\(file) holds no row", hint: "`vault audit export --format jsonl` writes some", exitStatus: .badData)
    }
    if proof.first > 1 { Diagnostics.notice("it begins at row \(proof.first); what was before is not in the file") }
    if let signer = proof.signer, verification.publicKey == nil {
      Diagnostics.notice("who signed is what the file says; compare it with `vault audit key`: \(hex(signer))")
    }
    let end = unsignedEnd(proof, verification)
    guard isPart || end == nil else {
      throw Failure(
        "\(file): \(end ?? "")",
        hint: "`vault audit export --whole`, while the agent runs, ends with a signed head; `--partial` takes it as it is",
        exitStatus: .badData)
    }
    if let end { Diagnostics.notice(end) }
    if proof.missing > 0 {
      let rows = proof.missing == 1 ? "1 row" : "\(proof.missing) rows"
      Diagnostics.notice(
        "\(rows) between row \(proof.first) and row \(proof.last) are not in the file: nothing is proven of them")
      return "\(file): \(counted(proof.rows)) unchanged"
    }
    return "\(file): rows \(proof.first) to \(proof.last) are whole" + (end == nil ? ", up to a signed head" : "")
  }

  private static func counted(_ rows: Int64) -> String { rows == 1 ? "the row is" : "the \(rows) rows are" }

  /// The unverified part at the file's end.
  private static func unsignedEnd(_ proof: ExportedLog.Proof, _ verification: VerificationInput) -> String? {
    guard proof.signedUpTo < proof.last else { return nil }
    if proof.signedUpTo == 0 {
      return "no signed head is in it: its rows follow from each other, and who wrote them is not proven"
        + (proof.codes > 0 ? " but by the codes of \(proof.codes)" : "") + "; rows may have been cut off behind row \(proof.last)"
    }
    return
      "rows \(proof.signedUpTo + 1) to \(proof.last) stand behind the last signed head: whether there were more is not proven"
  }
}
