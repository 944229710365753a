// A decision tree of the iris flowers, in AssemblyScript. It speaks JSON: [5.1, 3.5, 1.4, 0.2] in,
// {"species":"setosa","area":0.27999999999999999} out; the area is that of the petal.

// So the host writes the input into a buffer that the guest holds on to.
let input: StaticArray<u8> = new StaticArray<u8>(0);

export function larder_abi_1_json(): void {}

export function larder_alloc(len: i32): usize {
  // One byte more: no buffer is at 0, and an empty input has a place, too.
  input = new StaticArray<u8>(len + 1);
  return changetype<usize>(input);
}

export function larder_predict(at: usize, len: i32): i64 {
  const text = String.UTF8.decodeUnsafe(at, len).trim();
  if (!text.startsWith("[") || !text.endsWith("]")) return failed("expected an array");
  const parts = text.substring(1, text.length - 1).split(",");
  if (parts.length != 4) return failed("expected four numbers");
  const x = new StaticArray<f64>(4);
  for (let i = 0; i < 4; i++) {
    x[i] = F64.parseFloat(parts[i].trim());
    if (isNaN(x[i])) return failed("expected a number: " + parts[i].trim());
  }
  const species = judge(x[2], x[3]);
  const area = x[2] * x[3];
  return packed('{"species":"' + species + '","area":' + area.toString() + "}", 0);
}

function judge(petalLength: f64, petalWidth: f64): string {
  if (petalLength < 2.45) return "setosa";
  if (petalWidth < 1.75) {
    if (petalLength < 4.95) return petalWidth < 1.65 ? "versicolor" : "virginica";
    return petalWidth < 1.55 ? "virginica" : petalLength < 5.45 ? "versicolor" : "virginica";
  }
  return "virginica";
}

let output: ArrayBuffer = new ArrayBuffer(0);

function packed(text: string, flag: u32): i64 {
  output = String.UTF8.encode(text);
  return (<i64>changetype<usize>(output) << 32) | <i64>(<u32>output.byteLength | flag);
}

function failed(text: string): i64 {
  return packed(text, 0x80000000);
}
