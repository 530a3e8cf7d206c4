import Foundation
import TestSupport

/// A file of `Fixtures`, read as text.
enum Fixture {
  static var root: String { Repository.root.appending(path: "Tests/AWSClientTests/Fixtures").path }

  static func text(_ path: String) throws -> String {
    try String(contentsOfFile: root + "/" + path, encoding: .utf8)
  }

  /// The cases of AWS's signing test suite, as paths without their endings.
  static var signingCases: [String] {
    let folder = root + "/aws4_testsuite"
    let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.hasSuffix(".req") }.map { "aws4_testsuite/" + $0.dropLast(4) }.sorted()
  }
}
