/* hdf5_lock - HDF5 is not thread-safe: whoever reads or writes it beside other threads holds this
 * lock. One for the process; it does not nest. */
#ifndef LP_HDF5_LOCK_H
#define LP_HDF5_LOCK_H

void lp_hdf5_lock(void);
void lp_hdf5_unlock(void);

#endif
