import Foundation
import Testing
import VaultModel
import VaultSecrets

@testable import AWSConfig

@Suite("Both shared files together")
struct SharedConfigTests {
  private static let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"

  @Test("the credentials file wins for the same setting, and each setting keeps its file and line")
  func merge() throws {
    let home = try WrittenHome(
      config: "[profile dev]\nregion = a\noutput = json\n", credentials: "# note\n[dev]\nregion = b\n[new]\nregion = c\n")
    let shared = try home.read()
    #expect(shared.sections.map(\.name) == ["dev", "new"])
    #expect(shared.sections[0]["region"]?.text == "b")
    #expect(shared.sections[0]["region"]?.origin.description == "~/.aws/credentials:3")
    #expect(shared.sections[0]["output"]?.origin.description == "~/.aws/config:3")
  }

  @Test("files that are missing are as empty ones")
  func missing() throws {
    let home = try WrittenHome(config: nil, credentials: nil)
    #expect(try home.read().sections.isEmpty)
    #expect(try SharedConfig.read(configFile: nil, credentialsFile: nil, home: nil).sections.isEmpty)
  }

  @Test("what is not a regular file is refused without waiting for it")
  func notRegular() throws {
    let home = try WrittenHome(config: nil, credentials: nil)
    let fifo = home.path + "/fifo"
    #expect(mkfifo(fifo, 0o600) == 0)
    for (path, shown) in [(fifo, "~/fifo"), (home.path, home.path), ("/dev/zero", "/dev/zero")] {
      #expect(throws: ConfigError.unreadable(file: shown, problem: "is not a regular file")) {
        try SharedConfig.read(configFile: path, credentialsFile: nil, home: home.path)
      }
    }
  }

  @Test("a file that is too long is refused before it is read")
  func tooLong() throws {
    let home = try WrittenHome(config: "", credentials: nil)
    #expect(truncate(home.path + "/.aws/config", (16 << 20) + 1) == 0)
    #expect(throws: ConfigError.unreadable(file: "~/.aws/config", problem: "is longer than 16 MiB")) { try home.read() }
  }

  @Test("a file that holds more than it said is not taken for whole")
  func grown() throws {
    // The kernel says 0 bytes of this regular file, and gives more.
    let path = "/proc/self/status"
    #expect(throws: ConfigError.unreadable(file: path, problem: "changed while it was read")) {
      try SharedConfig.read(configFile: path, credentialsFile: nil, home: nil)
    }
  }

  @Test("secrets go to the side table, and a mask stands in the settings")
  func secrets() throws {
    let home = try WrittenHome(
      config: "[profile none]\nregion = a\n",
      credentials:
        "[dev]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = \(Self.secret)\naws_session_token = TOKEN/\(Self.secret)\n"
    )
    let shared = try home.read()
    let found = try #require(shared.secrets["dev"])
    #expect(shared.secrets.count == 1)
    #expect(found.accessKeyId == "AKIAIOSFODNN7EXAMPLE")
    #expect(found.origin.description == "~/.aws/credentials:3")
    #expect(found.secretAccessKey?.equals(SecretBytes(Self.secret)) == true)
    #expect(found.sessionToken?.equals(SecretBytes("TOKEN/" + Self.secret)) == true)
    #expect(shared.sections.last?.text("aws_secret_access_key") == "‹secret›")
    #expect(!"\(shared)".contains(Self.secret))
  }

  @Test("an empty secret takes the earlier one away")
  func emptied() throws {
    let home = try WrittenHome(
      config: "[profile dev]\naws_session_token = \(Self.secret)\n", credentials: "[dev]\naws_session_token =\n")
    let shared = try home.read()
    #expect(shared.secrets.isEmpty)
    #expect(shared.sections[0].text("aws_session_token") == nil)
  }

  @Test(
    "a secret that stands where it should not is shown nowhere",
    arguments: [
      "[a]\naws_secret_access_key = @", "[default]\nregion = a\n  aws_secret_access_key = @",
      "[default]\ns3 =\n  aws_secret_access_key = @",
      "[default]\ns3 =\n  aws_secret_access_key @ = x", "[default]\naws_secret_access_key =\n  @",
      "[default]\naws_secret_access_key @=",
      "[default]\naws_secret_access_key: @", "[default]\nexport AWS_SECRET_ACCESS_KEY=@",
      "[default]\na = b\n  export AWS_SECRET_ACCESS_KEY=@", "aws_secret_access_key = @", "[default\naws_secret_access_key = @",
      "[default]\nAWS_Secret_Access_Key=@",
      "[default]\naws_secret_access_key = @ @", "[default]\naws_secret_access_key = @\u{e9}",
      "[default]\naws_secret_access_key = a\n  @",
      "[default]\naws_secret_access_key = x\naws_secret_access_key = @",
      "[default]\n[profile default]\n[default]\naws_secret_access_key = @",
    ])
  func strayed(text: String) throws {
    do {
      let text = text.replacing("@", with: Self.secret)
      let home = try WrittenHome(config: text, credentials: nil)
      let shared = try home.read()
      #expect(!"\(shared.sections) \(shared.warnings) \(shared.secrets)".lowercased().contains(Self.secret.lowercased()))
    } catch let error as ConfigError {
      #expect(!"\(error) \(error.message) \(error.hint ?? "")".lowercased().contains(Self.secret.lowercased()))
    }
  }
}
