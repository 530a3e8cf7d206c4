import Foundation
import TestSupport

/// A page of the documentation as it is typed: its commands, and what it shows of their output.
struct TypedPage {
  /// A command, and what a terminal shows of it.
  struct Step: Equatable {
    let line: Int
    /// The first line of its block.
    let block: String
    var command: String
    /// Nil where the page shows nothing.
    var output: String?
  }

  let name: String
  let steps: [Step]

  /// README.md and every page of docs/, by its name.
  static let names: [String] = {
    let docs = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "docs").path)) ?? []
    return ["README.md"] + docs.filter { $0.hasSuffix(".md") }.sorted().map { "docs/" + $0 }
  }()

  private static let root = Repository.root

  init(_ name: String) throws {
    self.name = name
    let text = try String(contentsOf: Self.root.appending(path: name), encoding: .utf8)
    steps = Self.blocks(text).flatMap(Self.steps)
  }

  /// The indented and the fenced blocks, each line with its number.
  private static func blocks(_ text: String) -> [[(number: Int, text: String)]] {
    var blocks: [[(number: Int, text: String)]] = []
    var block: [(number: Int, text: String)] = []
    var isFenced = false
    var wasBlank = true
    for (index, line) in text.components(separatedBy: "\n").enumerated() {
      if line.hasPrefix("```") {
        isFenced.toggle()
        blocks.append(block)
        block = []
      } else if isFenced {
        block.append((index + 1, line))
      } else if line.hasPrefix("    "), wasBlank || !block.isEmpty {
        block.append((index + 1, String(line.dropFirst(4))))
      } else if line.isEmpty, !block.isEmpty {
        block.append((index + 1, ""))
      } else {
        blocks.append(block)
        block = []
      }
      wasBlank = line.isEmpty
    }
    return (blocks + [block]).filter { !$0.isEmpty }
  }

  /// A block in which a line begins with `$ ` shows output; in any other each line is typed.
  private static func steps(of block: [(number: Int, text: String)]) -> [Step] {
    var steps: [Step] = []
    var isShown = false
    let first = block.first?.text ?? ""
    for (number, text) in block {
      let before = steps.last?.command ?? ""
      if text.hasPrefix("$ ") {
        isShown = true
        steps.append(Step(line: number, block: first, command: String(text.dropFirst(2)), output: ""))
      } else if isShown {
        steps[steps.count - 1].output? += text + "\n"
      } else if !steps.isEmpty, !text.isEmpty,
        text.hasPrefix(" ") || text.hasPrefix("hint: ") || before.hasSuffix("\\")
          || text.hasPrefix("vault: ") && before.hasPrefix("vault: ")
      {
        steps[steps.count - 1].command += "\n" + text
      } else if !text.isEmpty {
        steps.append(Step(line: number, block: first, command: text))
      }
    }
    return steps
  }

  /// Whether a terminal showed what the page shows. Ids, keys, times and counts differ; `…` on the page stands for anything.
  static func agrees(shown: String, page: String) -> Bool {
    let pattern = NSRegularExpression.escapedPattern(for: plain(page)).replacing("…", with: "[\\s\\S]*")
    return plain(shown).range(of: "^\(pattern)$", options: .regularExpression) != nil
  }

  /// A text without what is different each time.
  static func plain(_ text: String) -> String {
    var text = text.replacing("\r\n", with: "\n")
    for (pattern, word) in [
      ("vault: waiting for [^\n]*\n", ""), ("\u{1B}\\[[0-9;?]*[A-Za-z]", ""), ("\\b(AKIA|ASIA|AROA)[A-Z0-9]{12,}", "KEY"),
      ("\\b(ses|vlt|evt|run)_[a-z0-9]+", "ID"),
      ("\\b[0-9a-f]{64}\\b|\\b[0-9a-f]{16}\\b", "ID"), ("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z", "TIME"),
      ("([A-Z][a-z]{2} +[0-9]{1,2} +)?\\b[0-9]{2}:[0-9]{2}\\b", "TIME"), ("\\b[0-9]+h( [0-9]+m)?\\b|\\b[0-9]+m\\b", "LONG"),
      ("pid: [0-9]+", "pid: PID"), ("shipped to [^;]+;", "shipped to SERVER;"), ("rows 1 to [0-9]+ of", "ROWS of"),
      ("by plain http", STSWorld.devRole), ("active +(secret-service|passphrase)", "active STORE"), ("[0-9]+×", "TIMES"),
      ("\\b[0-9]+ rows", "ROWS"), ("\\b[a-z][a-z0-9_-]*@[A-Za-z0-9._-]+", "WHO"),
      ("\\b\(NSUserName())\\b", "alice"), ("[ \\t]+", " "), (" *\n", "\n"), ("\\A\\s+|\\s+\\z", ""),
    ] {
      text = text.replacingOccurrences(of: pattern, with: word, options: .regularExpression)
    }
    return text
  }
}
