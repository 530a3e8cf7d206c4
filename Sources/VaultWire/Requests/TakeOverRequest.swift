/// A program whose keys, profiles and sign-ins the vault can take over. Its raw value is the name on the command line.
public enum TakeOverProgram: String, FieldValue, CaseIterable {
  case awsVault = "aws-vault"
  case granted
  case awsSSO = "aws-sso-cli"
  case saml2aws
  case leapp
  case awsCLICache = "aws-cli-cache"
}

/// Take over from another program's stores, which stay as they are. Each thing found is sent as a ``TakeOverItem``.
public struct TakeOverRequest: Request, WireFields {
  public typealias Reply = ImportOutcome
  public var kind: MessageKind { .takeOver }
  public var program = TakeOverProgram.awsVault
  /// The person's home, an absolute path.
  public var home = ""
  /// The program's store or configuration, if it is not at its usual place; an absolute path.
  public var path: String?
  /// The AWS files that hold the program's profiles; nil if it writes none.
  public var files: ImportRequest?
  /// The variables that tell the program where its data is.
  public var variables = EnvironmentBlock()
  /// Only find out what would be taken. No secret is read, and nothing changes.
  public var dryRun = false
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&program).field(&home).field(&path).field(&files).field(&variables).field(&dryRun)
  }
}

/// One thing that was found in another program's stores.
public struct TakeOverItem: WireFields {
  /// What it is.
  public enum Kind: String, FieldValue {
    case accessKey = "access key"
    case profile
    case ssoSession = "sso-session"
    case signIn = "sign-in"
    case session
    case setting
  }

  /// What became of it.
  public enum Result: String, FieldValue {
    case taken
    /// The vault has one of this name, which stays as it is.
    case known
    case notTaken = "not taken"
  }

  public var kind = Kind.profile
  public var name = ""
  /// The file, or the keyring.
  public var origin = ""
  public var result = Result.notTaken
  /// Why it was not taken, or what to know about it.
  public var detail: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&kind).field(&name).field(&origin).field(&result).field(&detail)
  }
}
