import Foundation
import Glibc

/// Where the programs are that tests run.
public enum Programs {
  public static var vault: String { get throws { try built("vault") } }
  public static var vaultd: String { get throws { try built("vaultd") } }
  public static var stsSimulator: String { get throws { try built("sts-simulator") } }
  /// The Python that has boto3 and moto.
  public static var python: String { get throws { try pythonFolder.get() + "/python3" } }
  /// The AWS CLI beside that Python.
  public static var aws: String { get throws { try found(in: pythonFolder.get(), "aws") } }

  /// A program of ours: in the folder that `VAULT_PROGRAMS` names, else where SwiftPM built these tests.
  public static func built(_ name: String) throws -> String {
    if let folder = getenv("VAULT_PROGRAMS") { return try found(in: String(cString: folder), name) }
    let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return try found(in: URL(fileURLWithPath: bundle).deletingLastPathComponent().path, name)
  }

  /// A program of the machine's, from `PATH`.
  public static func onPath(_ name: String) throws -> String {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    for folder in path.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 { return "\(folder)/\(name)" }
    throw MissingProgram(name: name, searched: path)
  }

  private static func found(in folder: String, _ name: String) throws -> String {
    let path = folder + "/" + name
    guard access(path, X_OK) == 0 else { throw MissingProgram(name: name, searched: folder) }
    return path
  }

  /// The folder of the interpreter itself. What `PATH` has may be a shell script that needs more of the environment than
  /// tests give.
  private static let pythonFolder: Result<String, any Error> = Result {
    if let venv = getenv("VAULT_TEST_VENV") { return String(cString: venv) + "/bin" }
    let environment = ProcessInfo.processInfo.environment
    let python = try RunningProgram(onPath("python3"), ["-c", "import sys; print(sys.executable)"], environment: environment)
    python.send("", end: true)
    let result = try python.waitBlocking(timeout: 60)
    let path = result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    guard result.succeeded, path.hasPrefix("/") else { throw MissingProgram(name: "python3", searched: result.errors) }
    return URL(fileURLWithPath: path).deletingLastPathComponent().path
  }
}

/// A program that tests need is not there.
public struct MissingProgram: Error, CustomStringConvertible {
  public let name: String
  public let searched: String
  public var description: String { "\(name) is not in \(searched)" }
}
