/// Text in a command for a POSIX shell. Every command that is printed to be copied has its words from here, wherever they come from.
public enum ShellText {
  /// A word that the shell leaves as it is (POSIX Shell, 2.2.2 "Single-Quotes").
  public static func quoted(_ text: String) -> String {
    var quoted = "'"
    for scalar in text.unicodeScalars {
      if scalar == "'" { quoted += "'\\''" } else { quoted.unicodeScalars.append(scalar) }
    }
    return quoted + "'"
  }

  /// The same, without quotes if none are needed.
  public static func word(_ text: String) -> String {
    let isPlain =
      !text.isEmpty
      && text.utf8.allSatisfy {
        (48...57).contains($0) || (97...122).contains($0 | 0x20)
          || [0x5F, 0x2E, 0x2F, 0x25, 0x40, 0x3A, 0x2B, 0x2D, 0x2C].contains($0)
      }
    return isPlain ? text : quoted(text)
  }
}
