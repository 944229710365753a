//! WebAssembly models: right answers, and guests that mean harm.

mod answers;
mod cached;
mod checked;
mod guests;
mod hostile;
mod serializers;
mod stored;
