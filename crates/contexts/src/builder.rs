//! Creates small slot files for tests, as llama.cpp b11434 writes them, with recognisable cell data.

/// The state of a conversation, which [`Conversation::write`] turns into a slot file.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The tokens.
    pub tokens: Vec<i32>,
    /// True for the packed token list of current servers, false for the plain list of older servers.
    pub is_packed: bool,
    /// The parts of the memory.
    pub parts: Vec<Part>,
}

/// A part of the model's memory.
#[derive(Debug, Clone)]
pub enum Part {
    /// A KV cache.
    Attention {
        /// Position of each cell, in file order.
        positions: Vec<u32>,
        /// Number of layers.
        layers: u32,
        /// Layout of the cache.
        shape: Shape,
    },
    /// Recurrent state.
    Recurrent {
        /// Layers of the model.
        layers: u32,
        /// Layers with recurrent state.
        recurrent_layers: u32,
    },
}

/// The layout of a KV cache.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Number of streams.
    pub streams: u32,
    /// The stream that holds the conversation.
    pub stream: u32,
    /// True if each cell record has the 12-byte extension.
    pub has_extension: bool,
    /// True if values are stored by element instead of by cell (flash attention is off).
    pub is_transposed: bool,
    /// True if there are value tensors.
    pub has_values: bool,
    /// Bytes per cell in each tensor.
    pub row_size: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            streams: 1,
            stream: 0,
            has_extension: false,
            is_transposed: false,
            has_values: true,
            row_size: 8,
        }
    }
}

const F16: u32 = 1;
const F32: u32 = 0;

impl Conversation {
    /// Creates a conversation of `len` tokens without memory.
    #[must_use]
    pub fn new(len: u32) -> Self {
        Self {
            tokens: (0..len).map(|index| 100 + index.cast_signed()).collect(),
            is_packed: true,
            parts: Vec::new(),
        }
    }

    /// Adds a KV cache with a cell for each token from `first` on.
    #[must_use]
    pub fn attention(mut self, first: u32, layers: u32, shape: Shape) -> Self {
        let len = count(&self.tokens);
        self.parts.push(Part::Attention {
            positions: (first..len).collect(),
            layers,
            shape,
        });
        self
    }

    /// Adds recurrent state.
    #[must_use]
    pub fn recurrent(mut self, layers: u32, recurrent_layers: u32) -> Self {
        self.parts.push(Part::Recurrent {
            layers,
            recurrent_layers,
        });
        self
    }

    /// Returns the bytes of the slot file.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, &[0x6767_7371, 4]);
        let count = count(&self.tokens);
        if self.is_packed {
            put(&mut out, &[count + 4, u32::MAX, 1, count]);
        } else {
            put(&mut out, &[count]);
        }
        for token in &self.tokens {
            out.extend(token.to_le_bytes());
        }
        if self.is_packed {
            put(&mut out, &[0]);
        }
        for part in &self.parts {
            match part {
                Part::Attention {
                    positions,
                    layers,
                    shape,
                } => write_attention(&mut out, positions, *layers, *shape),
                Part::Recurrent {
                    layers,
                    recurrent_layers,
                } => write_recurrent(&mut out, count - 1, *layers, *recurrent_layers),
            }
        }
        out
    }
}

/// Returns the length of a list as `u32`; test data is short.
fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

fn put(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
}

fn write_attention(out: &mut Vec<u8>, positions: &[u32], layers: u32, shape: Shape) {
    put(out, &[shape.streams]);
    for stream in 0..shape.streams {
        if stream == shape.stream {
            put(out, &[count(positions)]);
            write_stream(out, positions, layers, shape);
        } else {
            put(out, &[0]);
        }
    }
}

fn write_stream(out: &mut Vec<u8>, positions: &[u32], layers: u32, shape: Shape) {
    for position in positions {
        put(out, &[*position, 1]);
        if shape.has_extension {
            put(out, &[*position, *position, 0]);
        }
        put(out, &[shape.stream]);
    }
    put(out, &[shape.is_transposed.into(), layers, 0, 0]);
    for layer in 0..layers {
        put(out, &[F16]);
        out.extend(shape.row_size.to_le_bytes());
        write_rows(out, positions, layer, shape.row_size);
    }
    for layer in (0..layers).filter(|_| shape.has_values) {
        put(out, &[F16]);
        if shape.is_transposed {
            let elements = shape.row_size / 2;
            put(out, &[2]);
            out.extend(&elements.to_le_bytes()[..4]);
        } else {
            out.extend(shape.row_size.to_le_bytes());
        }
        write_rows(out, positions, 0x80 | layer, shape.row_size);
    }
}

/// Writes a row for each position; its bytes repeat the layer and the position.
fn write_rows(out: &mut Vec<u8>, positions: &[u32], layer: u32, row_size: u64) {
    for position in positions {
        let row = u64::from(layer) << 32 | u64::from(*position);
        let bytes = row.to_le_bytes();
        out.extend(
            (0..row_size)
                .zip(bytes.iter().cycle())
                .map(|(_, byte)| byte),
        );
    }
}

fn write_recurrent(out: &mut Vec<u8>, position: u32, layers: u32, recurrent_layers: u32) {
    put(out, &[1, position, 0, 0, layers]);
    for row_size in [24_u64, 64] {
        for layer in 0..recurrent_layers {
            put(out, &[F32]);
            out.extend(row_size.to_le_bytes());
            out.extend((0..row_size).map(|_| layer.to_le_bytes()[0]));
        }
    }
}
