extension HTMLWriter {
  /// A column of a table.
  struct Column {
    let title: StaticString
    var isNumber = false

    static func text(_ title: StaticString) -> Column { Column(title: title) }
    static func number(_ title: StaticString) -> Column { Column(title: title, isNumber: true) }
  }

  /// What names the region in which a table scrolls.
  enum TableName {
    /// The heading of its section, by its id.
    case heading(StaticString)
    /// A name of its own, and the number of the section.
    case own(StaticString, of: Int)
  }

  /// Writes a table in a region that scrolls by itself.
  ///
  /// - Parameters:
  ///   - note: a last row, over all columns.
  ///   - rows: writes the rows.
  mutating func table(
    _ name: TableName, caption: StaticString, _ columns: [Column], note: String?, rows: (inout HTMLWriter) -> Void
  ) {
    markup("<div class=\"wide\" tabindex=\"0\" role=\"region\" ")
    switch name {
    case .heading(let id):
      markup("aria-labelledby=\"")
      markup(id)
    case .own(let text, let number):
      markup("aria-label=\"")
      markup(text)
      markup(" of run ")
      self.number(number)
    }
    markup("\">\n<table>\n<caption>")
    markup(caption)
    markup("</caption>\n<thead><tr>")
    for column in columns {
      if column.isNumber { markup("<th scope=\"col\" class=\"n\">") } else { markup("<th scope=\"col\">") }
      markup(column.title)
      markup("</th>")
    }
    markup("</tr></thead>\n<tbody>\n")
    rows(&self)
    if let note {
      markup("<tr><td class=\"nothing\" colspan=\"")
      self.number(columns.count)
      markup("\">")
      text(note)
      markup("</td></tr>\n")
    }
    markup("</tbody>\n</table>\n</div>\n")
  }

  /// Begins a section with its heading; the caller ends it.
  mutating func section(_ id: StaticString, title: StaticString) {
    markup("<section aria-labelledby=\"")
    markup(id)
    markup("\">\n<h2 id=\"")
    markup(id)
    markup("\">")
    markup(title)
    markup("</h2>\n")
  }
}
