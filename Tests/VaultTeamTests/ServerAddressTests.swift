import Testing
import VaultModel

@testable import VaultTeam

@Suite struct ServerAddressTests {
  private func parameters(_ text: String, passwords: String? = nil) throws -> [String: String] {
    let address = try ServerAddress(text, passwords: passwords)
    return Dictionary(address.parameters.map { ($0.name, $0.value) }) { _, last in last }
  }

  @Test(
    "what is not on this machine is checked by its certificate, unless the person says otherwise",
    arguments: [
      ("postgresql://db.example.test/team", "verify-full"), ("postgresql://192.0.2.7/team", "verify-full"),
      ("postgresql://db.example.test/team?sslmode=require", "require"), ("postgresql:///team", nil),
      ("postgresql://localhost/team", nil), ("postgresql://127.0.0.1:5433/team", nil),
      ("postgresql://[::1]/team", nil),
      ("postgresql:///team?host=/run/postgresql", nil), ("postgresql://127.0.0.1.example.test/team", "verify-full"),
      ("postgresql://localhost,db.example.test/team", "verify-full"),
      ("postgresql://localhost/team?hostaddr=192.0.2.7", "verify-full"),
      ("postgresql://db.example.test/team?hostaddr=127.0.0.1", "verify-full"),
      ("postgresql:///team?service=team", "verify-full"),
    ] as [(String, String?)])
  func mode(address: String, expected: String?) throws {
    #expect(try parameters(address)["sslmode"] == expected)
  }

  @Test("a weak mode is told of, on another machine only")
  func weak() throws {
    func isWeak(_ text: String) throws -> Bool { try ServerAddress(text).isWeak }
    #expect(try isWeak("postgresql://db.example.test/team?sslmode=prefer"))
    #expect(try !isWeak("postgresql://db.example.test/team"))
    #expect(try !isWeak("postgresql://db.example.test/team?sslmode=verify-ca"))
    #expect(try !isWeak("postgresql://localhost/team?sslmode=disable"))
  }

  @Test("the wait for a connection is bounded, whatever is asked for")
  func timeout() throws {
    #expect(try parameters("postgresql:///team")["connect_timeout"] == "10")
    #expect(try parameters("postgresql:///team?connect_timeout=0")["connect_timeout"] == "2")
    #expect(try parameters("postgresql:///team?connect_timeout=5")["connect_timeout"] == "5")
    #expect(try parameters("postgresql:///team?connect_timeout=9999")["connect_timeout"] == "30")
  }

  @Test(
    "no password is taken, and none is repeated",
    arguments: [
      "postgresql://me:hunter2@/team", "postgresql://me@/team?password=hunter2", "postgresql://me@/team?sslpassword=hunter2",
      "postgresql://me:hunter2@[::1/team", "postgresql://me:hunter2@/team?nonsense=1",
    ])
  func passwords(address: String) {
    do {
      _ = try ServerAddress(address)
      Issue.record("it was taken")
    } catch {
      let failure = Failure(error)
      #expect(failure.exitStatus == .usage)
      #expect(!failure.message.contains("hunter2") && failure.hint?.contains("hunter2") != true, "\(failure)")
    }
  }

  @Test(
    "the file of passwords is the address's own, else the settings', and Kerberos takes the place of TLS only where it is asked to"
  )
  func passwordFile() throws {
    #expect(try parameters("postgresql://me@/team", passwords: "/p")["passfile"] == "/p")
    #expect(try parameters("postgresql://me@/team?passfile=/q", passwords: "/p")["passfile"] == "/q")
    #expect(try parameters("postgresql://me@/team")["gssencmode"] == "disable")
    #expect(try parameters("postgresql://me@/team?gssencmode=require")["gssencmode"] == "require")
  }

  @Test(
    "every variable of libpq's is taken away, and those of the libraries under it that say whom to believe",
    arguments: [
      ("PGHOSTADDR", true), ("PGPORT", true), ("PGSSLROOTCERT", true), ("PGSERVICE", true), ("PGSERVICEFILE", true),
      ("PGSYSCONFDIR", true), ("PGREQUIRESSL", true), ("PGTARGETSESSIONATTRS", true), ("PGGSSLIB", true), ("PGKRBSRVNAME", true),
      ("PGOPTIONS", true), ("PGPASSWORD", true), ("PGPASSFILE", true), ("PGREQUIREPEER", true), ("OPENSSL_CONF", true),
      ("SSL_CERT_FILE", true), ("KRB5_CONFIG", true), ("HOSTALIASES", true), ("HOME", false), ("KRB5CCNAME", false),
      ("VAULT_HOME", false), ("XPGHOST", false),
    ])
  func variables(name: String, isTaken: Bool) { #expect(LibraryEnvironment.isTaken(name) == isTaken) }
}
