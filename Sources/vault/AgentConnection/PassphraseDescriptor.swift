import CSystem

/// The descriptor that `VAULT_PASSPHRASE_FD` names.
///
/// It is taken before this program opens anything, since a new file could get that number if it was free. It is withheld from the
/// command that replaces this program, whether or not the passphrase is asked for.
enum PassphraseDescriptor {
  /// Private to this process; nil unless the variable names an open descriptor. First used at the start of the program.
  static let taken: Int32? = {
    guard let text = variable("VAULT_PASSPHRASE_FD"), let number = Int32(text), number >= 0 else { return nil }
    let own = sys_take(number)
    return own < 0 ? nil : own
  }()
}
