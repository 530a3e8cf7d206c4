import VaultModel

/// A sign-in.
public struct SignedIn: WireFields {
  public var name = ""
  public var expiration = Timestamp(milliseconds: 0)
  public var isRenewable = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&expiration).field(&isRenewable) }
}

/// The sign-in whose accounts were sent.
public struct DiscoveredPlace: WireFields {
  public var name = ""
  public var region = ""
  public var startURL = ""
  /// Whether it is an `sso-session` section, which profiles may name.
  public var isSession = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&name).field(&region).field(&startURL).field(&isSession) }
}

/// An account, and the permission sets that the user has in it.
public struct AccountEntry: WireFields {
  public var id = ""
  public var name: String?
  public var email: String?
  public var roles: [String] = []
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&id).field(&name).field(&email).field(&roles) }
}

/// A role that a SAML assertion offers.
public struct OfferedRole: WireFields {
  public var account = ""
  public var role = ""
  public var provider = ""
  public init() {}
  public mutating func code(_ coder: FieldCoder) { coder.field(&account).field(&role).field(&provider) }
}

/// An `sso-session` for a start URL.
public struct AddedSignIn: WireFields {
  public var name = ""
  /// AWS's own URL.
  public var startURL = ""
  /// Nil if the URL does not tell it; nothing was then made.
  public var region: String?
  public var isNew = false
  /// Another one with this URL, in another region: its name and region. Nil if there is none.
  public var other: String?
  public var otherRegion: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&name).field(&startURL).field(&region).field(&isNew).field(&other).field(&otherRegion)
  }
}
