/// The world that most tests live in: one account, alice who may, bob who may not, and a role of each sort.
extension STSWorld {
  public static let account = "123456789012"
  public static let aliceARN = "arn:aws:iam::123456789012:user/alice"
  /// AWS's own example key.
  public static let aliceAccessKeyId = "AKIAIOSFODNN7EXAMPLE"
  public static let aliceSecretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
  public static let aliceMFASerial = "arn:aws:iam::123456789012:mfa/alice"
  /// The seed of alice's device (the one of RFC 6238's test vectors: "12345678901234567890").
  public static let aliceTOTPSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
  /// Codes that alice's device also shows, at any time, each good for one use.
  public static let aliceMFACodes = (100_001...100_040).map { String($0) }

  public static let bobARN = "arn:aws:iam::123456789012:user/bob"
  public static let bobAccessKeyId = "AKIAI44QH8DHBEXAMPLE"
  public static let bobSecretAccessKey = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
  /// A key that has been made inactive.
  public static let bobInactiveAccessKeyId = "AKIAI44QH8DHINACTIVE"

  /// Trusts the account; four hours at most.
  public static let devRole = "arn:aws:iam::123456789012:role/my-application-dev-role"
  /// Trusts the dev role only.
  public static let chainedRole = "arn:aws:iam::123456789012:role/my-application-chained-role"
  /// Asks for MFA.
  public static let mfaRole = "arn:aws:iam::123456789012:role/my-application-mfa-role"
  /// In another account; asks for the external id ``externalId``.
  public static let partnerRole = "arn:aws:iam::210987654321:role/partners/my-partner-role"
  /// What the person in IAM Identity Center has, and the application's role that trusts one of them.
  public static let ssoAccount = "123456789012"
  public static let ssoRole = "arn:aws:iam::123456789012:role/my-application-sso-role"
  public static let center = IdentityCenter(accounts: [
    IdentityCenter.Account(id: ssoAccount, name: "Development", roles: ["Developer", "ReadOnly"]),
    IdentityCenter.Account(id: "210987654321", name: "Production", roles: ["ReadOnly"]),
  ])
  public static let webToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm9yZy9hcHAifQ.c2lnbmF0dXJl"
  public static let samlProvider = "arn:aws:iam::123456789012:saml-provider/idp"
  public static let machineRole = "arn:aws:iam::123456789012:role/machine"
  public static let externalId = "partner:7/x42"

  public static let standard = STSWorld(
    users: [
      User(
        arn: aliceARN, accessKeys: [AccessKey(id: aliceAccessKeyId, secret: aliceSecretAccessKey)],
        mfaDevices: [MFADevice(serial: aliceMFASerial, totpSecret: aliceTOTPSecret, codes: aliceMFACodes)],
        mayAssume: ["arn:aws:iam::*:role/*"]),
      User(
        arn: bobARN,
        accessKeys: [
          AccessKey(id: bobAccessKeyId, secret: bobSecretAccessKey),
          AccessKey(id: bobInactiveAccessKeyId, secret: bobSecretAccessKey, active: false),
        ]),
    ],
    roles: [
      Role(
        arn: devRole, trusts: ["arn:aws:iam::123456789012:root"], maxSessionDuration: 14_400, mayAssume: [chainedRole]),
      Role(arn: chainedRole, trusts: [devRole], maxSessionDuration: 43_200),
      Role(arn: mfaRole, trusts: ["arn:aws:iam::123456789012:root"], requiresMFA: true, maxSessionDuration: 43_200),
      Role(
        arn: ssoRole,
        trusts: [center.roleARN(ssoAccount, "Developer"), machineRole, "arn:aws:iam::123456789012:role/ci"],
        maxSessionDuration: 43_200),
      Role(arn: machineRole, trusts: ["ec2.amazonaws.com"]),
      Role(arn: "arn:aws:iam::123456789012:role/ci", trusts: ["token.actions.githubusercontent.com", samlProvider]),
      Role(arn: partnerRole, trusts: ["arn:aws:iam::123456789012:root"], externalId: externalId),
    ],
    identityCenter: center,
    webIdentities: [
      WebIdentity(token: webToken, subject: "repo:org/app", roles: ["arn:aws:iam::123456789012:role/ci"])
    ], samlProviders: [samlProvider], machine: Machine(role: machineRole, containerToken: "container-token"))
}
