import Testing
import VaultModel

@testable import vault

/// What the client advises where a command line is mistyped.
struct AdviceTests {
  @Test(
    "an option that does not exist leads to a near one, or to the help of its command",
    arguments: [("--hlep", "did you mean --help?"), ("--refesh", "did you mean --refresh?"), ("--nope", "`vault help exec`")])
  func options(typed: String, hint: String) throws {
    let words = ["vault", "exec", typed, "app-dev"]
    let failure = try #require(
      #expect(throws: Failure.self) { try Arguments(words, from: 2, of: ExecCommand.command) })
    #expect(Help.advised(failure, words).hint == hint)
  }

  @Test(
    "a word that looks like a start URL without its scheme is taken for one",
    arguments: [
      ("https://corp.awsapps.com/start", "https://corp.awsapps.com/start"), ("corp.awsapps.com", "https://corp.awsapps.com"),
      ("aws.corp.test/start", "https://aws.corp.test/start"), ("corp", nil), ("team.prod", nil), ("team/prod", nil),
    ] as [(String, String?)])
  func startURLs(typed: String, url: String?) { #expect(URLSignIn.url(typed) == url) }
}
