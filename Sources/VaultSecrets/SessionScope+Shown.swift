import VaultBytes
import VaultModel

extension SessionScope {
  /// The scope as the audit log has it (`"scope"` in docs/reference.md). A policy is there by its SHA-256, as `sha256sum` prints it of
  /// the text that AWS received.
  public var shown: String? { shown { "sha256:" + hex(sha256(Array($0.utf8))) } }
}
