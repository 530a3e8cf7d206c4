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
      Role(arn: partnerRole, trusts: ["arn:aws:iam::123456789012:root"], externalId: externalId),
    ])
}
