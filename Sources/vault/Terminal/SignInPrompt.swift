import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// Shows a user where to sign in: the address, the code, a QR code on a terminal, and the page itself in a browser.
enum SignInPrompt {
  static func show(_ page: Page, opensBrowser: Bool) {
    // The browser's command line can be read by every user of the machine.
    let isOpen = opensBrowser && Browser.isThere && Browser.open(page.address ?? page.url)
    if isOpen {
      Diagnostics.notice("your browser has opened to sign you in; if not, go to")
    } else {
      Diagnostics.notice("to sign in, go to")
    }
    Diagnostics.write("\n    \(safeText(page.url))\n\n")
    if let code = page.code { Diagnostics.notice("and check that it shows this code:  \(code)") }
    // For use with a phone; the browser's own redirect ends at this machine.
    if !isOpen, page.code != nil, isatty(2) == 1 { Diagnostics.write(drawn(page.rows)) }
  }

  /// Two rows of the QR code per line of text, with the margin that ISO/IEC 18004 requires.
  private static func drawn(_ rows: [String]) -> String {
    guard !rows.isEmpty else { return "" }
    let margin = 4
    let width = rows[0].utf8.count
    let bits = rows.map { Array($0.utf8) }
    func isDark(_ row: Int, _ column: Int) -> Bool {
      guard bits.indices.contains(row), bits[row].indices.contains(column) else { return false }
      return bits[row][column] == UInt8(ascii: "1")
    }
    var text = ""
    for row in stride(from: -margin, to: rows.count + margin, by: 2) {
      // White on black, whatever the terminal's colours.
      text += "  \u{1B}[30;107m"
      for column in -margin..<width + margin {
        switch (isDark(row, column), isDark(row + 1, column)) {
        case (true, true): text += "█"
        case (true, false): text += "▀"
        case (false, true): text += "▄"
        case (false, false): text += " "
        }
      }
      text += "\u{1B}[0m\n"
    }
    return text + "\n"
  }
}
