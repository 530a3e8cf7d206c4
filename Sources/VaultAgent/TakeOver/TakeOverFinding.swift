import AWSClient
import VaultModel
import VaultSecrets
import VaultWire

/// One thing in another program's stores, and what the vault could do with it.
struct TakeOverFinding: Sendable {
  let kind: TakeOverItem.Kind
  let name: String
  /// The file, or the keyring, as the person knows it.
  let origin: String
  let offer: Offer
  /// What the person should know about it if it is taken.
  var note: String?

  enum Offer: Sendable {
    /// Nil in a dry run, which reads no secret.
    case accessKey(Credential?, mfaSerial: String?)
    /// - Parameter replaced: the profile of an AWS file that runs the other program, and that this one takes the place of.
    case section(ConfigSection, replaces: Bool)
    /// The sign-in of a place; nil for the token in a dry run.
    case signIn(CachedToken?, place: SSOSessionConfig)
    case none(why: String)
  }

  /// A vault-managed section.
  static func section(
    _ kind: SectionKind, _ name: String, settings: [(name: String, value: String?)], from origin: String,
    replaces: Bool = false,
    note: String? = nil
  ) -> TakeOverFinding {
    let settings = settings.compactMap { setting in
      setting.value.map { Setting(name: setting.name, value: .text($0), origin: .vault) }
    }
    return TakeOverFinding(
      kind: kind == .profile ? .profile : .ssoSession, name: name, origin: origin,
      offer: .section(ConfigSection(kind: kind, name: name, settings: settings), replaces: replaces), note: note)
  }

  static func none(_ kind: TakeOverItem.Kind, _ name: String, from origin: String, why: String) -> TakeOverFinding {
    TakeOverFinding(kind: kind, name: name, origin: origin, offer: .none(why: why))
  }
}

/// A program's stores.
protocol TakeOverSource {
  /// Everything that is in them, in a fixed order.
  ///
  /// - Throws: `TakeOverError.nothing` if the program has no stores here.
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding]
}

/// Errors in another program's stores.
enum TakeOverError: ReportableError, Hashable {
  case nothing(program: String, places: [String])
  case unreadable(path: String, why: String)
  case notUnderstood(path: String, why: String)

  var message: String {
    switch self {
    case .nothing(let program, let places): "nothing of \(program) here: \(places.joined(separator: ", nor "))"
    case .unreadable(let path, let why): "cannot read \(path): \(why)"
    case .notUnderstood(let path, let why): "\(path): \(why)"
    }
  }

  var hint: String? {
    switch self {
    case .nothing(let program, _): "name its store or configuration: vault import --from \(program) FILE"
    case .unreadable: nil
    case .notUnderstood: "nothing was taken from it"
    }
  }

  var exitStatus: ExitStatus {
    switch self {
    case .nothing, .unreadable: .noInput
    case .notUnderstood: .badData
    }
  }
}
