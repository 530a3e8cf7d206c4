import Testing
import VaultModel

@testable import AWSConfig

@Suite("Files that are read section by section")
struct SectionPiecesTests {
  private static func pieces(_ home: WrittenHome) throws -> SharedPieces? {
    try SharedPieces(configFile: home.path + "/.aws/config", credentialsFile: home.path + "/.aws/credentials", home: home.path)
  }

  @Test(
    "a section that is read alone says what it says in the whole file",
    arguments: [
      ("[profile a]\nregion = x\n[profile b]\ns3 =\n  one = 1\n  two = 2\noutput = json\n", "[a]\nregion = y\n[c]\nregion = z\n"),
      ("# first\n\n[default]\nregion = x\n[profile a]\n[default]\noutput = json\n", ""),
      ("[default]\nregion = x\n[profile default]\nregion = y\n[default]\noutput = json\n", "[default]\noutput = text\n"),
      ("\u{FEFF}[profile a]\r\nregion = x\r\n[profile a] ; note\r\noutput = a\r\n  more\r\n[plugins]\r\nx = y", "[a]\nb = c"),
      (
        "[sso-session s]\nsso_region = a\n[services s]\nsts =\n  endpoint_url = b\n[profile s]\nregion = c\n", "[s]\nregion = d\n"
      ),
      ("[profile \"a b\"]\nregion = x\n\t\n[profile 'a b']\nregion = \n  y = z\n", "[a b]\naws_secret_access_key = abc\n"),
    ])
  func alone(config: String, credentials: String) throws {
    let home = try WrittenHome(config: config, credentials: credentials)
    let whole = try home.read()
    var pieces = try #require(try Self.pieces(home))
    var keys: Set<SectionKey> = []
    pieces.forEachKey { keys.insert($0) }
    #expect(keys == Set(whole.sections.map { SectionKey($0) }))
    for section in whole.sections {
      let found = try pieces.read(SectionKey(section))
      #expect(found?.section == section)
      #expect((found?.secrets != nil) == (section.kind == .profile && whole.secrets[section.name] != nil))
    }
    #expect(try pieces.read(SectionKey(.profile, "missing")) == nil)
  }

  @Test(
    "where lines above decide whether a line opens a section, the file is read as a whole",
    arguments: ["[profile a]\nx =\n  [profile b]\n", "\u{A0}[profile a]\n", "region = x\n[profile a]\n"])
  func indented(config: String) throws { #expect(try Self.pieces(WrittenHome(config: config, credentials: nil)) == nil) }

  @Test("what is wrong under a header that opens no section is found")
  func ignored() throws {
    let home = try WrittenHome(config: "[profile a]\n[plugins]\nnonsense\n", credentials: nil)
    #expect(throws: ConfigError.syntax(file: "~/.aws/config", line: 3, expected: "\"name = value\"")) { try Self.pieces(home) }
  }

  @Test("a section's digest is another one for another text, line, file or pair of files")
  func digests() throws {
    func digest(_ config: String, _ credentials: String = "", _ place: Int = 0) throws -> SectionDigest? {
      try Self.pieces(WrittenHome(config: config, credentials: credentials))?.digest(
        of: SectionKey(.profile, "default"), place: place)
    }
    let texts = [
      ("[default]\na = 1\n", ""), ("[default]\na = 2\n", ""), ("\n[default]\na = 1\n", ""), ("", "[default]\na = 1\n"),
      ("[default]\na = 1\n", "[default]\na = 1\n"), ("[default]\na = 1\n[default]\n", ""),
    ]
    var digests = Set(try texts.map { try digest($0, $1) })
    #expect(digests.count == texts.count)
    digests.insert(try digest(texts[0].0, "", 1))
    #expect(digests.count == texts.count + 1)
    #expect(try digest("[default]\na = 1\n[profile b]\n") == digest(texts[0].0))
  }
}
