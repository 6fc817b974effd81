/**
 * The device process: the one process that touches the GPU. A driver that aborts, a lost device or a run that hangs ends
 * this process and never the kernel, which starts another one. Work is done in the order it is asked for.
 */
import { DeviceTensors, failureOf } from './tensors.js';
import type { Answer, HostTensor, Provider, Request, Work } from './messages.js';

const send = (answer: Answer | { ready: true } | { refused: string }): void => void process.send?.(answer);

async function work(device: DeviceTensors, request: Work): Promise<Record<string, HostTensor>> {
  switch (request.do) {
    case 'open':
      await device.open(request.session, request.model, request.stay);
      return {};
    case 'upload':
      await device.upload(request.tensor, request.value);
      return {};
    case 'download':
      return { y: await device.download(request.tensor) };
    case 'run':
      return device.run(request.session, request.feeds, request.keep);
  }
}

async function answer(device: DeviceTensors, request: Request): Promise<void> {
  if (request.do === 'free') return device.free(request.tensors, request.sessions);
  const { id } = request;
  try {
    const outputs = await work(device, request);
    send({ id, outputs, held: device.held });
  } catch (error) {
    const { message, kind, asked } = failureOf(error);
    send({ id, error: message, kind, held: device.held, asked });
  }
}

/** `from`: a file beside whose package onnxruntime-node lies; default, this program's own. */
async function main(provider: Provider, from?: string): Promise<void> {
  let device: DeviceTensors;
  try {
    device = await DeviceTensors.start(provider, from);
  } catch (error) {
    send({ refused: failureOf(error).message });
    return process.disconnect();
  }
  let last = Promise.resolve();
  process.on('message', (request: Request) => {
    last = last.then(() => answer(device, request));
  });
  send({ ready: true });
}

// The kernel is gone: nothing is left to compute for.
process.on('disconnect', () => process.exit(0));
void main(process.argv[2] as Provider, process.argv[3]);
