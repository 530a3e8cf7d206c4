import Testing

@testable import vault

@Suite("The columns of a table on a narrow terminal")
struct ColumnTests {
  private let columns: [Column] = [
    .name("PROFILE"), .whole("KIND", rank: 3), .whole("SESSION"), .whole("ENDS", rank: 1), .arn("ROLE", rank: 2),
    .name("FROM", rank: 4, least: 10),
  ]

  @Test("what fits has its natural width; what does not is cut first, and left out from the last rank on")
  func ranks() {
    let natural = [60, 11, 7, 9, 70, 20]
    #expect(Column.layout(columns, natural, within: 200) == natural)
    #expect(Column.layout(columns, natural, within: 100) == [19, 11, 7, 9, 32, 12])
    #expect(Column.layout(columns, natural, within: 80) == [16, 11, 7, 9, 29, nil])
    #expect(Column.layout(columns, natural, within: 60) == [27, 11, 7, 9, nil, nil])
    #expect(Column.layout(columns, natural, within: 20) == [11, nil, 7, nil, nil, nil])
  }

  @Test("a line is never wider than the terminal while a name is left to cut", arguments: 12...240)
  func widths(width: Int) {
    for natural in [[60, 11, 7, 9, 70, 20], [7, 11, 7, 9, 23, 4], [300, 12, 11, 9, 300, 300]] {
      let layout = Column.layout(columns, natural, within: width).compactMap { $0 }
      let line = layout.reduce(Column.gap * (layout.count - 1), +)
      #expect(line <= width || width < natural[2] + 3)
      #expect(line >= min(width, 12) || line == natural.reduce(10, +))
    }
  }

  @Test(
    "an ARN is shortened to what tells it apart, and its account is never cut",
    arguments: [
      ("arn:aws:iam::123456789012:role/app", "role/app @ 123456789012", "role/app @ 123456789012"),
      (
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Administrator_0123456789abcdef",
        "role/AWSReservedSSO_Administrator_0123456789abcdef @ 123456789012", "role/…bcdef @ 123456789012"
      ),
      (
        "arn:aws-cn:sts::123456789012:assumed-role/deploy/bob@example.com", "assumed-role/deploy/bob@example.com @ 123456789012",
        "assum…e.com @ 123456789012"
      ),
      ("arn:aws:iam::123456789012:mfa/bob", "mfa/bob @ 123456789012", "mfa/bob @ 123456789012"),
      ("arn:aws:iam::123456789012:root", nil, "arn:aws:iam::…6789012:root"),
      ("arn:aws:s3:::bucket/key", nil, "arn:aws:s3:::bucket/key"),
      ("app-dev", nil, "app-dev"),
    ] as [(String, String?, String)])
  func arns(arn: String, short: String?, cut: String) {
    #expect(ShortARN.text(arn) == short)
    #expect(Column.arn("ROLE").cut(short ?? arn, to: 26) == cut)
  }

  @Test("where there is no room for the account, the role's name is what stays")
  func narrow() {
    #expect(Column.text("DETAIL").cut("role/my-application @ 123456789012", to: 16) == "role/my-…ication")
  }
}
