//! Tests of where models are placed, and of the contexts that are chosen to make them fit.

use super::*;
use crate::fixture::Fixture;
use paddock_gguf::builder::GgufBuilder;
use paddock_gguf::{GgmlType, Header, Value};

const MIB: u64 = 1 << 20;

/// Context of the model of most tests, in tokens.
const CONTEXT: u32 = 65_536;

fn header(builder: &GgufBuilder) -> Header {
    Header::read(&builder.build()[..]).unwrap()
}

/// Returns a model of four layers whose cached keys and values take most of its memory.
fn headers(context: u32) -> ModelHeaders {
    let builder = GgufBuilder::new("llama")
        .set("llama.block_count", Value::U32(4))
        .set("llama.context_length", Value::U32(context))
        .set("llama.embedding_length", Value::U32(64))
        .set("llama.attention.head_count", Value::U32(4))
        .tensor("token_embd.weight", &[64, 512], GgmlType::F32);
    let builder = (0..4).fold(builder, |builder, layer| {
        let name = format!("blk.{layer}.attn_q.weight");
        builder.tensor(&name, &[64, 64], GgmlType::F32)
    });
    ModelHeaders {
        model: vec![header(&builder)],
        projector: None,
        draft: None,
    }
}

struct Scene {
    _fixture: Fixture,
    config: Config,
    engine: Engine,
    budget: Memory,
}

impl Scene {
    /// Creates a machine with this much RAM and these devices, in bytes.
    fn new(host: u64, devices: &[u64]) -> Self {
        let fixture = Fixture::new();
        let config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        let mut engine = Engine::default();
        let mut budget = Memory::budget(host, None);
        for (index, bytes) in devices.iter().enumerate() {
            engine.devices.push(Device {
                name: format!("CUDA{index}"),
                description: String::new(),
                total: *bytes,
                free: *bytes,
            });
            budget = budget.with_device(index, *bytes);
        }
        Self {
            _fixture: fixture,
            config,
            engine,
            budget,
        }
    }

    fn place(&self, headers: &ModelHeaders) -> Placement {
        let input = PlacementInput {
            config: &self.config,
            model: &self.config.models[0],
            engine: &self.engine,
            budget: &self.budget,
        };
        compute_placement(&input, headers)
    }

    fn model(&mut self) -> &mut config::Model {
        &mut self.config.models[0]
    }

    fn with_args(mut self, args: &[&str]) -> Self {
        self.model().args = args.iter().map(Into::into).collect();
        self
    }
}

fn options(context: u32) -> MemoryOptions {
    MemoryOptions {
        context,
        ..MemoryOptions::default()
    }
}

fn prediction(headers: &ModelHeaders, context: u32) -> gguf::MemoryPrediction {
    gguf::predict(&headers.model, &options(context)).unwrap()
}

/// Returns the bytes of the model with this context, all in RAM.
fn total(headers: &ModelHeaders, context: u32) -> u64 {
    prediction(headers, context).total()
}

#[test]
fn a_configured_size_is_used_as_is() {
    let table: [(&[u64], &[&str], Memory); 5] = [
        (&[], &[], Memory::needed(100)),
        (&[7], &[], Memory::needed(0).with_device(0, 100)),
        (&[7], &["--n-gpu-layers", "0"], Memory::needed(100)),
        // In proportion to the devices' budgets.
        (
            &[30, 10],
            &[],
            Memory::needed(0).with_device(0, 75).with_device(1, 25),
        ),
        // A device without a budget takes what no other can.
        (&[0, 0], &[], Memory::needed(0).with_device(0, 100)),
    ];
    let headers = headers(CONTEXT);
    for (devices, args, expected) in table {
        let mut scene = Scene::new(50, devices).with_args(args);
        scene.model().memory = Some(100);
        let placement = scene.place(&headers);
        assert_eq!(placement.memory, expected, "{devices:?} {args:?}");
        assert_eq!(placement.args, [""; 0]);
        assert_eq!(placement.context, prediction(&headers, CONTEXT).kv());
    }
}

#[test]
fn a_context_that_fits_or_is_configured_is_kept() {
    let headers = headers(CONTEXT);
    let whole = total(&headers, CONTEXT);
    // The model's own context fits exactly.
    let placement = Scene::new(whole, &[]).place(&headers);
    assert_eq!(placement.memory, Memory::needed(whole));
    assert_eq!(placement.args, [""; 0]);
    assert_eq!(placement.context, prediction(&headers, CONTEXT).kv());
    // A configured one does not fit, and is kept all the same.
    let mut scene = Scene::new(1, &[]);
    scene.model().context = 8192;
    let placement = scene.place(&headers);
    assert_eq!(placement.memory, Memory::needed(total(&headers, 8192)));
    assert_eq!(placement.args, [""; 0]);
    assert_eq!(placement.context, prediction(&headers, 8192).kv());
    let placement = Scene::new(1, &[])
        .with_args(&["-c", "8192"])
        .place(&headers);
    assert_eq!(placement.memory, Memory::needed(total(&headers, 8192)));
    assert_eq!(placement.args, [""; 0]);
}

#[test]
fn a_configured_context_for_each_slot_is_kept_too() {
    let headers = headers(CONTEXT);
    let args = ["--kv-unified-per-slot", "8192"];
    let placement = Scene::new(1, &[]).with_args(&args).place(&headers);
    let options = MemoryOptions::default().with_args(&args);
    let whole = gguf::predict(&headers.model, &options).unwrap();
    assert_eq!(placement.memory, Memory::needed(whole.total()));
    assert_eq!(placement.args, [""; 0]);
}

#[test]
fn settings_of_a_wrapped_command_count_without_arguments() {
    let headers = headers(CONTEXT);
    let mut scene = Scene::new(1 << 40, &[]);
    scene.config.mode = config::Mode::Wrap {
        router: false,
        is_launched: false,
    };
    // As from its environment.
    (scene.model().context, scene.model().parallel) = (8192, 0);
    let options = MemoryOptions {
        context: 8192,
        parallel: 0,
        ..MemoryOptions::default()
    };
    let whole = gguf::predict(&headers.model, &options).unwrap();
    assert_ne!(whole.total(), total(&headers, 8192));
    assert_eq!(scene.place(&headers).memory, Memory::needed(whole.total()));
}

#[test]
fn the_longest_part_of_the_context_that_fits_is_chosen() {
    let table = [
        // (own context, a context that just fits, chosen)
        (CONTEXT, CONTEXT / 2, CONTEXT / 2),
        (CONTEXT, CONTEXT / 4, CONTEXT / 4),
        (CONTEXT, 4096, 4096),
        // Nothing fits.
        (CONTEXT, 512, 4096),
        (10_000, 512, 4096),
        (10_000, 5000, 5000),
        // The model's own context is shorter than the shortest one.
        (2048, 512, 2048),
    ];
    for (own, fits, chosen) in table {
        let headers = headers(own);
        let scene = Scene::new(total(&headers, fits), &[]);
        let placement = scene.place(&headers);
        assert_eq!(placement.args, ["--ctx-size", chosen.to_string().as_str()]);
        let memory = Memory::needed(total(&headers, chosen));
        assert_eq!(placement.memory, memory, "{own} {fits}");
        assert_eq!(placement.context, prediction(&headers, chosen).kv());
    }
}

#[test]
fn layers_are_offloaded_as_configured_or_as_many_as_fit() {
    let headers = headers(CONTEXT);
    let prediction = prediction(&headers, CONTEXT);
    let split = |count| prediction.split_by_device(gguf::GpuLayers::Count(count));
    let all = prediction.split_by_device(gguf::GpuLayers::All);
    assert_eq!(split(5), all, "four layers and the output");
    let needed = |split: DeviceSplit| match split.device {
        0 => Memory::needed(split.host),
        device => Memory::needed(split.host).with_device(0, device),
    };
    let ram = 1 << 40;
    let cases = [
        (GpuLayers::All, 1, all),
        (GpuLayers::Count(2), 1, split(2)),
        (
            GpuLayers::Count(0),
            ram,
            DeviceSplit::host(prediction.total()),
        ),
        (GpuLayers::Auto, all.device, all),
        (GpuLayers::Auto, all.device - 1, split(4)),
        (GpuLayers::Auto, split(2).device, split(2)),
        (GpuLayers::Auto, split(1).device - 1, split(0)),
    ];
    for (layers, device, expected) in cases {
        let mut scene = Scene::new(ram, &[device]);
        scene.model().gpu_layers = layers;
        // The context is configured, so that it is not shortened.
        scene.model().context = CONTEXT;
        let placement = scene.place(&headers);
        assert_eq!(placement.memory, needed(expected), "{layers:?} {device}");
    }
}

#[test]
fn layers_are_divided_among_devices_by_their_budgets() {
    let headers = headers(CONTEXT);
    let all = prediction(&headers, CONTEXT).split_by_device(gguf::GpuLayers::All);
    let scene = Scene::new(1 << 40, &[3 << 30, 1 << 30]);
    let memory = scene.place(&headers).memory;
    assert_eq!(memory.device(0), all.device * 3 / 4);
    assert_eq!(memory.device(1), all.device / 4);
    assert_eq!(memory.host(), all.host);
}

#[test]
fn a_projector_and_a_draft_model_take_memory_of_their_own() {
    let plain = headers(CONTEXT);
    let projector = || {
        let builder = GgufBuilder::new("clip");
        header(&builder.tensor("v.patch_embd.weight", &[64, 512], GgmlType::F32))
    };
    let projected = ModelHeaders {
        projector: Some(projector()),
        ..headers(CONTEXT)
    };
    let drafted = ModelHeaders {
        draft: Some(headers(4096).model),
        ..headers(CONTEXT)
    };
    let projector = gguf::projector_bytes(&projector());
    assert!(projector > 0);
    let draft = gguf::predict(&headers(4096).model, &options(0)).unwrap();
    // In RAM.
    let host = |headers| Scene::new(1 << 40, &[]).place(headers).memory;
    let own = total(&plain, CONTEXT);
    assert_eq!(host(&plain), Memory::needed(own));
    assert_eq!(host(&projected), Memory::needed(own + projector));
    assert_eq!(host(&drafted), Memory::needed(own + draft.total()));
    // On a device.
    let device = |headers| Scene::new(1 << 40, &[1 << 40]).place(headers).memory;
    let all = prediction(&plain, CONTEXT).split_by_device(gguf::GpuLayers::All);
    let draft = draft.split_by_device(gguf::GpuLayers::All);
    let sum = |extra: DeviceSplit| {
        let all = all + extra;
        Memory::needed(all.host).with_device(0, all.device)
    };
    assert_eq!(device(&plain), sum(DeviceSplit::default()));
    let projector = DeviceSplit {
        host: 0,
        device: projector,
    };
    assert_eq!(device(&projected), sum(projector));
    assert_eq!(device(&drafted), sum(draft));
}

#[test]
fn a_header_that_lacks_data_is_predicted_by_its_tensors() {
    let builder = GgufBuilder::new("unheard-of");
    let headers = ModelHeaders {
        model: vec![header(&builder.tensor("x", &[256, 1024], GgmlType::F32))],
        projector: None,
        draft: None,
    };
    let placement = Scene::new(1, &[]).place(&headers);
    assert_eq!(placement.memory, Memory::needed(MIB));
    assert_eq!((placement.context, placement.args.len()), (0, 0));
    let on_device = Scene::new(1, &[1]).place(&headers).memory;
    assert_eq!(on_device, Memory::needed(0).with_device(0, MIB));
}
