import VaultBytes
import VaultDatabase
import VaultModel

/// A row that leads to a secret is not as this vault wrote it.
public enum RowError: ReportableError, Hashable {
  /// A profile or section.
  case section(SectionKind, name: String, isOwn: Bool)
  case followedFile(String)
  case credentialsLink(path: String, section: String)
  case setting(String)
  case lease(String)
  /// The vault's own rows were removed, or older ones put back. Names those that are known to be wrong.
  case set([String])

  init(_ stored: StoredSection) { self = .section(stored.section.kind, name: stored.section.name, isOwn: stored.isOwn) }

  /// Names what was changed.
  public var what: String {
    switch self {
    case .section(.profile, let name, _): "profile \"\(name)\""
    case .section(let kind, let name, _): "[\(kind.rawValue) \(name)]"
    case .followedFile(let path): "the watched file \(path)"
    case .credentialsLink(let path, let section): "the link of [\(section)] in \(path)"
    case .setting(let name): "the setting \(name)"
    case .lease(let profile): "the lease of a program with profile \"\(profile)\""
    case .set(let names):
      names.isEmpty ? "the vault's own data" : names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
    }
  }

  public var message: String { "\(what) was changed in the vault's database by another program" }

  public var hint: String? {
    let what = "nothing was sent or run; "
    switch self {
    case .section(.profile, let name, isOwn: true):
      return what + "`vault remove \(ShellText.word(name))` removes it, then add it again"
    case .section(_, _, isOwn: true): return what + "`vault import --once` restores it"
    case .section: return what + "`vault import` reads the file again"
    default: return what + "`vault audit accept` removes the rows that the vault did not write, and keeps the rest"
    }
  }

  public var exitStatus: ExitStatus { .inputOutput }

  /// Whether reading the watched files again repairs it.
  public var isOfFile: Bool { if case .section(_, _, isOwn: false) = self { true } else { false } }
}
