import Foundation
import TestSupport
import Testing

/// README.md and docs/, typed line by line at a terminal, against the strict simulator.
@Suite(.endToEnd) struct TypedPageTests {
  @Test("what a page shows can be typed as it stands, and shows what the page shows", arguments: TypedPage.names)
  func typed(name: String) async throws {
    let page = try TypedPage(name)
    let steps = page.steps.filter { step in !TypedStage.notRun.contains { $0.page == name && $0.covers(step) } }
    guard !steps.isEmpty else { return }
    let stage = try await TypedStage(name)
    let shown = try await stage.type(steps)
    try #require(shown.count == steps.count, "\(name): \(shown)")
    for (step, shown) in zip(steps, shown) {
      let line: Comment = "\(name):\(step.line): \(step.command)\nended with \(shown.status) and showed:\n\(shown.text)"
      #expect(shown.status == stage.status(of: step), line)
      if let page = stage.output(of: step) {
        #expect(TypedPage.agrees(shown: shown.text, page: page), "\(line)\nwhere the page shows:\n\(page)")
      }
    }
  }

  @Test("every line that is not typed stands on a page still, with its reason")
  func listed() throws {
    for entry in TypedStage.notRun {
      #expect(try TypedPage(entry.page).steps.contains(where: entry.covers), "\(entry.page): \(entry.line)")
      #expect(!entry.reason.isEmpty)
    }
    for entry in TypedStage.special {
      #expect(try TypedPage(entry.page).steps.contains { $0.command.hasPrefix(entry.line) }, "\(entry.page): \(entry.line)")
    }
  }

  @Test("a page is read as a person reads it, and what it shows is compared but for what is new each time")
  func reading() throws {
    #expect(TypedPage.agrees(shown: "app-dev  fresh  in 42m\r\n", page: "app-dev    fresh    in 59m\n"))
    #expect(TypedPage.agrees(shown: "a\nb\nc\n", page: "a\n…\n"))
    #expect(!TypedPage.agrees(shown: "app-dev due in 42m\n", page: "app-dev fresh in 59m\n"))
    #expect(!TypedPage.agrees(shown: "app-dev\nanother\n", page: "app-dev\n"))
    let steps = try TypedPage("docs/containers.md").steps
    #expect(steps.contains { $0.command.hasPrefix("vault exec --token-file") && $0.command.hasSuffix("my-image'") })
    let list = try #require(try TypedPage("docs/reports.md").steps.first { $0.command == "vault list" })
    #expect(list.output?.hasPrefix("PROFILE ") == true && list.output?.contains("app-prod") == true)
  }
}
