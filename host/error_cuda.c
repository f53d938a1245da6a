#include "error_cuda.h"

#include <cuda_runtime_api.h>
#include <stdio.h>

static lp_status no_driver(int e, lp_err *err)
{
    int driver = 0, need = 0;

    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&need);
    cudaGetLastError();
    if (!driver)
        return lp_fail(err, LP_EMISSING,
                       "backend cuda: no NVIDIA driver on this machine; use --backend cpu");
    if (e == cudaErrorInsufficientDriver)
        return lp_fail(err, LP_EMISSING,
                       "backend cuda: the NVIDIA driver is for CUDA %d.%d, older than %d.%d; "
                       "update it or use --backend cpu",
                       driver / 1000, driver % 1000 / 10, need / 1000, need % 1000 / 10);
    return lp_fail(err, LP_EMISSING,
                   "backend cuda: no GPU that this process may use; use --backend cpu");
}

lp_status lp_cuda_failed(int device, int e, const char *what, lp_err *err)
{
    const char *text = cudaGetErrorString((cudaError_t)e);
    char where[32] = "backend cuda";

    cudaGetLastError();
    if (device >= 0) snprintf(where, sizeof where, "GPU %d", device);
    switch (e) {
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
        return no_driver(e, err);
    case cudaErrorMemoryAllocation:
        return lp_fail(err, LP_ENOMEM,
                       "%s: %s: out of memory; give a larger diameter, a smaller --batch_size or "
                       "--backend cpu",
                       where, what);
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
    case cudaErrorDevicesUnavailable:
    case cudaErrorInvalidDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorOperatingSystem:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
        return lp_fail(err, LP_EMISSING,
                       "%s: %s: %s; update the driver, take another --gpu_device or use --backend "
                       "cpu",
                       where, what, text);
    default:
        return lp_fail(err, LP_EIO,
                       "%s: %s: %s; this run cannot use it any more: run what is missing again, or "
                       "with --backend cpu",
                       where, what, text);
    }
}
