/// Splits a JSON stream of any length into the wanted objects: each object or string of an array with one of the given names in the
/// top-level object, or of a top-level array; otherwise each top-level object.
///
/// It tracks only strings and brackets; the receiver checks whether an object is valid JSON.
struct JSONPieces {
  /// The input is invalid, or an object is too long.
  struct Damage: Error {}

  enum Source: Sendable { case top, array(name: String) }

  private let names: [[UInt8]]
  private let maxLength: Int
  private var object: [UInt8] = []
  private var depth = 0
  /// The depth at which the wanted objects begin.
  private var wanted = 0
  private var source = Source.top
  private var isInString = false
  private var isEscaped = false
  /// The last string of the top-level object, as long as it may be a name.
  private var word: [UInt8] = []
  private var name: [UInt8] = []
  /// Whether everything that was opened is closed.
  var isWhole: Bool { depth == 0 && !isInString }

  /// - Parameters:
  ///   - names: of arrays in the top-level object whose objects are wanted.
  ///   - maxLength: the maximum size of an object in bytes.
  init(arraysNamed names: [String], maxLength: Int) {
    self.names = names.map { Array($0.utf8) }
    self.maxLength = maxLength
  }

  /// Lends each object that ends in this piece to `body`.
  mutating func consume(_ bytes: UnsafeRawBufferPointer, _ body: ([UInt8], Source) throws -> Void) throws {
    for byte in bytes {
      let begins = depth == wanted && !isInString && (byte == UInt8(ascii: "{") || byte == UInt8(ascii: "\"") && wanted > 0)
      if depth > wanted || begins || isInString && depth == wanted {
        guard object.count < maxLength else { throw Damage() }
        object.append(byte)
      }
      if isInString {
        inString(byte)
        if !isInString, depth == wanted {
          try body(object, source)
          object.removeAll(keepingCapacity: true)
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""):
        guard depth > 0 else { throw Damage() }
        isInString = true
        word.removeAll(keepingCapacity: true)
      case UInt8(ascii: ":"): if depth == 1 { name = word }
      case UInt8(ascii: "["): try open(array: true)
      case UInt8(ascii: "{"): try open(array: false)
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        depth -= 1
        guard depth >= 0 else { throw Damage() }
        if depth == wanted, byte == UInt8(ascii: "}") {
          try body(object, source)
          object.removeAll(keepingCapacity: true)
        } else if depth < wanted {
          // After the array, nothing more of the top-level object is wanted.
          wanted = depth == 0 ? 0 : Int.max
          object.removeAll(keepingCapacity: true)
        }
        if depth == 0 {
          wanted = 0
          source = .top
        }
      case UInt8(ascii: ","), 0x20, 0x09, 0x0A, 0x0D: break
      default: guard depth > 0, depth > wanted || wanted == .max else { throw Damage() }
      }
    }
  }

  private mutating func inString(_ byte: UInt8) {
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == UInt8(ascii: "\"") {
      isInString = false
    }
    if depth == 1, isInString, word.count < 32 { word.append(byte) }
  }

  private mutating func open(array: Bool) throws {
    depth += 1
    // Deeper than SQLite accepts.
    guard depth < 1_000 else { throw Damage() }
    guard array, wanted == 0 else { return }
    if depth == 1 {
      wanted = 1
    } else if depth == 2, let found = names.first(where: { $0 == name }), object.first == UInt8(ascii: "{") {
      wanted = 2
      source = .array(name: String(decoding: found, as: UTF8.self))
      object.removeAll(keepingCapacity: true)
    }
  }
}
