import VaultModel

/// Sign in to IAM Identity Center.
public struct LoginRequest: Request, WireFields {
  public typealias Reply = SignedIn
  public var kind: MessageKind { .login }
  /// A profile or an SSO session; nil if there is only one.
  public var name: String?
  public var flow = SignInFlow.device
  /// Also write the tokens for the SDKs.
  public var share = false
  /// Adopt the tokens of the SDKs.
  public var adopt = false
  public var home: String?
  /// The vault-managed SSO session was made for this sign-in: it is removed if that fails, or if the person leaves.
  public var isFirst = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&name).field(&flow).field(&share).field(&adopt).field(&home).field(&isFirst)
  }
}

/// Sign out of IAM Identity Center. The reply is the number of sign-ins.
public struct LogoutRequest: Request, WireFields {
  public typealias Reply = Int
  public var kind: MessageKind { .logout }
  public var name: String?
  public var all = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&all) }
}

/// The accounts and permission sets of a sign-in; each account comes as an ``AccountEntry``.
public struct DiscoverRequest: Request, WireFields {
  public typealias Reply = DiscoveredPlace
  public var kind: MessageKind { .discover }
  public var name: String?
  public var flow = SignInFlow.device
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&flow) }
}

/// The roles that a SAML assertion offers, from a command or from the user.
public struct SAMLRolesRequest: Request, WireFields {
  public typealias Reply = [OfferedRole]
  public var kind: MessageKind { .samlRoles }
  public var command: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&command) }
}

/// Make an `sso-session` for a start URL, unless one is there.
public struct AddSignInRequest: Request, WireFields {
  public typealias Reply = AddedSignIn
  public var kind: MessageKind { .addSignIn }
  /// As the person typed it.
  public var url = ""
  /// Nil if the URL must tell it.
  public var region: String?
  public var scopes: String?
  /// The name of a new one; nil for one that has this URL, or else a name made from the URL.
  public var name: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&url).field(&region).field(&scopes).field(&name) }
}
