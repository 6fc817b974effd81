/** Fields of SAELens's cfg.json that change nothing about what an SAE computes. */

/** Said about the SAE, its model and its data. */
export const FLAT_METADATA: readonly string[] = [
  ...['hook_point_layer', 'hook_layer', 'hook_point_head_index', 'hook_head_index', 'model_class_name', 'model_kwargs'],
  ...['prepend_bos', 'seqpos_slice', 'model_from_pretrained_kwargs', 'dataset_path', 'dataset_trust_remote_code'],
  ...['sae_lens_version', 'sae_lens_training_version', 'neuronpedia_id', 'sae_set', 'name', 'hf_hook_name'],
  ...['is_dataset_tokenized', 'exclude_special_tokens', 'disable_concat_sequences', 'sequence_separator_token'],
  ...['tokens_per_buffer', 'tokenizer_name', 'hook_point_out', 'hook_layer_out', 'hook_head_index_out'],
];

/** Hyperparameters and bookkeeping of training runs, versions 1 to 6. */
export const TRAINING_FIELDS: readonly string[] = [
  // Optimiser and schedule.
  ...['lr', 'lr_scheduler_name', 'lr_warm_up_steps', 'lr_end', 'lr_decay_steps', 'n_restart_cycles'],
  ...[
    'adam_beta1',
    'adam_beta2',
    'lr_warm_up_steps',
    'train_batch_size',
    'train_batch_size_tokens',
    'autocast',
    'autocast_lm',
  ],
  ...['compile_llm', 'llm_compilation_mode', 'compile_sae', 'sae_compilation_mode', 'act_store_device', 'seed'],
  ...['training_tokens', 'total_training_tokens', 'total_training_steps', 'finetuning_tokens', 'finetuning_method'],
  // Loss.
  ...[
    'l1_coefficient',
    'l1_warm_up_steps',
    'l0_coefficient',
    'l0_warm_up_steps',
    'l0_lambda',
    'lp_norm',
    'mse_loss_normalization',
  ],
  ...['scale_sparsity_penalty_by_decoder_norm', 'normalize_sae_decoder', 'noise_scale', 'use_ghost_grads'],
  ...['jumprelu_init_threshold', 'jumprelu_bandwidth', 'jumprelu_sparsity_loss_mode', 'jumprelu_tanh_scale'],
  ...['pre_act_loss_coefficient', 'aux_loss_coefficient', 'use_sparse_activations', 'topk_threshold_lr'],
  ...['matryoshka_widths', 'detach_matryoshka_losses', 'use_matryoshka_aux_loss', 'ghost_grad_steps'],
  ...[
    'decoder_orthogonal_init',
    'init_encoder_as_decoder_transpose',
    'decoder_heuristic_init',
    'decoder_heuristic_init_norm',
  ],
  ...['b_dec_init_method', 'decoder_init_norm', 'expansion_factor', 'from_pretrained_path'],
  // Data and its buffer.
  ...['context_size', 'n_batches_in_buffer', 'store_batch_size', 'store_batch_size_prompts', 'streaming'],
  ...[
    'use_cached_activations',
    'cached_activations_path',
    'n_batches_for_norm_estimate',
    'activations_mixing_fraction',
  ],
  // Dead features and evaluation.
  ...['feature_sampling_method', 'feature_sampling_window', 'feature_reinit_scale', 'dead_feature_window'],
  ...['dead_feature_threshold', 'dead_feature_estimation_method', 'resample_batches', 'n_eval_batches'],
  ...['eval_batch_size_prompts', 'eval_every_n_wandb_logs', 'eval_every_n_steps', 'output_path'],
  // Logging and checkpoints.
  ...['log_to_wandb', 'log_activations_store_to_wandb', 'log_optimizer_state_to_wandb', 'wandb_project', 'wandb_id'],
  ...['run_name', 'wandb_entity', 'wandb_log_frequency', 'n_checkpoints', 'checkpoint_path', 'save_final_checkpoint'],
  ...['resume', 'verbose', 'log_weights_to_wandb', 'activation_scaler', 'logger', 'resume_from_checkpoint'],
];
