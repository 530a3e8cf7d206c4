import VaultBytes

/// A process above a requester, as the kernel identifies it.
public struct Ancestor: Sendable, Hashable {
  public let pid: Int32
  /// The file that the process runs (`/proc/PID/exe`), at most ``maxLength`` characters of it; empty if it could not be read.
  public let executable: String

  /// The longest chain that is kept: the processes nearest to the requester.
  public static let maxCount = 32
  /// The longest path that is kept, in characters.
  public static let maxLength = 1_024

  public init(pid: Int32, executable: String) {
    self.pid = pid
    self.executable =
      executable.utf8.count <= Self.maxLength
      ? executable : String(String.UnicodeScalarView(executable.unicodeScalars.prefix(Self.maxLength)))
  }

  /// A chain as the audit log stores it: JSON without blanks, each object's keys in order; nil for an empty chain.
  public static func text(of chain: [Ancestor]) -> String? {
    guard !chain.isEmpty else { return nil }
    var writer = JSONWriter()
    writer.array { writer in
      for ancestor in chain.prefix(maxCount) {
        writer.object { writer in
          writer.field("executable", ancestor.executable)
          writer.field("pid", Int64(ancestor.pid))
        }
      }
    }
    return writer.buffer.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// The chain of a text that ``text(of:)`` wrote; nil for any other text.
  public static func chain(_ text: UnsafeRawBufferPointer) -> [Ancestor]? {
    var scanner = JSONScanner(text.bytes)
    var chain: [Ancestor] = []
    guard scanner.consume("[") else { return nil }
    repeat {
      var executable = ByteBuffer()
      guard chain.count < maxCount, scanner.consume("{"), scanner.consume(field: "executable"),
        scanner.string(into: &executable), scanner.consume(","), scanner.consume(field: "pid"),
        let pid = scanner.number().flatMap({ Int32(exactly: $0) }), scanner.consume("}")
      else { return nil }
      chain.append(Ancestor(pid: pid, executable: executable.withBytes { String(decoding: $0, as: UTF8.self) }))
    } while scanner.consume(",")
    return scanner.consume("]") && scanner.isAtEnd ? chain : nil
  }
}
