/// The name under which the client was started: a package may install `vault` under another one.
///
/// Messages of all modules and of the agent name commands as `vault …`; the program that prints them puts its own name there.
public enum ProgramName {
  /// The name that the sources use.
  public static let usual = "vault"

  /// The last part of argument 0; the usual name if that could be anything but a plain word.
  public static let current = plain(CommandLine.arguments.first ?? "", without: "")

  /// - Parameter suffix: what the program's own name adds to the client's.
  public static func plain(_ path: String, without suffix: String) -> String {
    var name = path.utf8[(path.utf8.lastIndex(of: 0x2F).map { path.utf8.index(after: $0) } ?? path.startIndex)...]
    if !suffix.isEmpty, name.count > suffix.utf8.count, name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
      name = name.dropLast(suffix.utf8.count)
    }
    let isPlain = name.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2E || byte == 0x5F || byte == 0x2D
    }
    // Neither an option nor a folder.
    guard isPlain, let first = name.first, first != 0x2D, first != 0x2E, name.count <= 64 else { return usual }
    return String(Substring(name))
  }

  /// A text with the commands in it under another name: those between backticks, and those that begin a line. Other words, such as
  /// "the vault" or "vault-managed", stay.
  public static func renaming(_ text: String, to name: String = current) -> String {
    guard name != usual else { return text }
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      (line.hasPrefix(usual + " ") ? name + line.dropFirst(usual.utf8.count) : String(line))
        .replacing("`\(usual) ", with: "`\(name) ").replacing("`\(usual)`", with: "`\(name)`")
    }.joined(separator: "\n")
  }
}
