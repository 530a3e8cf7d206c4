import CSystem

/// The descriptor that `VAULT_PASSPHRASE_FD` names.
///
/// It is taken before we open anything ourselves, which could come under a number that was free, and from the command that we become,
/// whether the passphrase is asked for or not.
enum PassphraseDescriptor {
  /// Ours alone; nil where the variable names none that was open. First used where the program begins.
  static let taken: Int32? = {
    guard let text = variable("VAULT_PASSPHRASE_FD"), let number = Int32(text), number >= 0 else { return nil }
    let own = sys_take(number)
    return own < 0 ? nil : own
  }()
}
