//! Dividing memory between the host and devices.

use super::super::{DeviceSplit, GpuLayers, projector_bytes};
use super::*;

fn sketch() -> Sketch {
    Sketch::new("llama", 2, 64, 1)
        .number("vocab_size", 1000)
        .tensor("token_embd.weight", &[64, 32])
        .tensor("blk.0.attn_q.weight", &[64, 8])
        .tensor("blk.1.attn_q.weight", &[64, 8])
        .tensor("blk.0.ffn_up_exps.weight", &[64, 8, 2])
        .tensor("blk.1.ffn_up_exps.weight", &[64, 8, 2])
        .tensor("output_norm.weight", &[64])
}

/// Bytes of the KV cache of 256 tokens with a width of 64.
const KV: u64 = 64 * KIB;

#[test]
fn without_devices_everything_is_on_the_host() {
    let prediction = sketch().predict(&with_context(256));
    let split = prediction.split_by_device(GpuLayers::Count(0));
    assert_eq!(split, DeviceSplit::host(prediction.total()));
    let whole = 4 * KIB + 2 * 3 * KIB + 128 + 2 * KV + prediction.compute + 4000;
    assert_eq!(prediction.total(), whole);
}

#[test]
fn the_last_layers_go_first_and_the_output_before_them() {
    let prediction = sketch().predict(&with_context(256));
    let device = |count| prediction.split_by_device(GpuLayers::Count(count)).device;
    // The output uses the token embedding, so the device copies it.
    let output = 128 + 4 * KIB + prediction.compute;
    assert_eq!(device(1), output);
    assert_eq!(device(2), output + 3 * KIB + KV);
    assert_eq!(device(3), output + 6 * KIB + 2 * KV);
    assert_eq!(device(99), device(3));
    let all = prediction.split_by_device(GpuLayers::All);
    assert_eq!(all.device, device(3));
    assert_eq!(all.host, 4 * KIB + prediction.compute_inputs + 4000);
}

#[test]
fn an_output_of_its_own_is_not_copied() {
    let prediction = sketch()
        .tensor("output.weight", &[64, 32])
        .predict(&with_context(256));
    assert_eq!((prediction.tied, prediction.output), (0, 4 * KIB + 128));
    let split = prediction.split_by_device(GpuLayers::Count(1));
    assert_eq!(split.device, 4 * KIB + 128 + prediction.compute);
}

#[test]
fn experts_and_caches_can_stay_on_the_host() {
    let options = MemoryOptions {
        cpu_experts: 1,
        kv_offload: false,
        ..with_context(256)
    };
    let prediction = sketch().predict(&options);
    let split = prediction.split_by_device(GpuLayers::All);
    assert_eq!(split.device, 128 + 4 * KIB + 4 * KIB + prediction.compute);
    assert_eq!(
        split.host,
        4 * KIB + 2 * KIB + 2 * KV + prediction.compute + 4000
    );
}

#[test]
fn splits_add_up() {
    let one = DeviceSplit { host: 1, device: 2 };
    let sum = [one, one + one].into_iter().sum::<DeviceSplit>();
    assert_eq!((sum, sum.total()), (DeviceSplit { host: 3, device: 6 }, 9));
    let full = DeviceSplit {
        host: u64::MAX,
        device: u64::MAX,
    };
    assert_eq!((full + full).total(), u64::MAX);
}

#[test]
fn a_projector_has_weights_and_room_for_an_image() {
    let file = GgufBuilder::new("clip").tensor("v.blk.0.attn_q.weight", &[64, 8], GgmlType::F16);
    let header = |file: &GgufBuilder| Header::read(&file.build()[..]).unwrap();
    assert_eq!(projector_bytes(&header(&file)), KIB);
    let file = file
        .set("clip.vision.image_size", Value::U32(224))
        .set("clip.vision.patch_size", Value::U32(14))
        .set("clip.vision.embedding_length", Value::U32(1024))
        .set("clip.vision.feed_forward_length", Value::U32(4096));
    assert_eq!(
        projector_bytes(&header(&file)),
        KIB + 256 * (3 * 4096 + 5 * 1024) * 4
    );
}
