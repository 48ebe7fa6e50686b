//! Apache Arrow's arrays, types and the kernels that select rows, under the names that the crate `arrow` has for them. Nothing else lives
//! here; what is missing is added when it is used.

/// Arrays and batches of them.
pub mod array {
    pub use arrow_array::cast::AsArray;
    pub use arrow_array::{
        Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Float64Array, Int32Array,
        Int64Array, PrimitiveArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
}

/// Types of arrays, fields and schemas.
pub mod datatypes {
    pub use arrow_array::types::{
        Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
    };
    pub use arrow_schema::{DataType, Field, Schema, SchemaRef};
}

/// Kernels that select rows.
pub mod compute {
    pub use arrow_select::concat::concat_batches;
    pub use arrow_select::filter::filter_record_batch;
    pub use arrow_select::interleave::interleave_record_batch;
}
